# One image for every app; the command chooses which. Node runs the TypeScript as it is, so the first stage only installs.
FROM node:26.10.0-bookworm-slim AS install

WORKDIR /app
# The same pnpm that package.json names in "packageManager".
RUN npm install --global --no-fund --no-audit --loglevel=error pnpm@12.17.0
COPY . .
# What the apps need and nothing for tests. Optional dependencies are PostgreSQL's programs for laptops without containers.
RUN pnpm install --prod --no-optional --frozen-lockfile --reporter=append-only --filter "./apps/*" --filter "./packages/*" --filter "./sql"

FROM node:26.10.0-bookworm-slim

ENV NODE_ENV=production
WORKDIR /app
COPY --from=install /app .

# Not root, and nothing below /app is its own to change.
USER node
CMD ["node", "apps/api/src/main.ts"]

# One image for every app; the command chooses which. Node runs the TypeScript as it is, so there is no build step.
FROM node:26.10.0-bookworm-slim

ENV NODE_ENV=production \
    TURBO_TELEMETRY_DISABLED=1

WORKDIR /app
# The same pnpm that package.json names in "packageManager".
RUN npm install --global --no-fund --no-audit --loglevel=error pnpm@12.17.0

COPY . .
# Optional dependencies are PostgreSQL's programs for laptops without containers.
RUN pnpm install --prod --no-optional --frozen-lockfile --reporter=append-only && npm cache clean --force

# Not root, and nothing below /app is its own to change.
USER node
CMD ["node", "apps/api/src/main.ts"]

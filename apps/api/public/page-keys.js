/**
 * Keyboard shortcuts, their list, and the choice of colours.
 * It must not take a key while somebody types, or one that belongs to the browser.
 */
import { find, make } from './page-text.js';

const THEMES = ['system', 'dark', 'light'];
const THEME_TEXT = { system: 'as the system', dark: 'dark', light: 'light' };
const THEME_SIGN = { system: '◐', dark: '●', light: '○' };

/** Listens for shortcuts. Shape: each has `keys` as KeyboardEvent names them, `text`, and `act(key)`. */
export function createShortcuts(shortcuts) {
  const rows = shortcuts.flatMap(({ shown, text }) => [
    make('dt', {}, ...shown.map((key) => make('kbd', {}, key))),
    make('dd', {}, text),
  ]);
  find('shortcuts').replaceChildren(...rows);
  find('help').addEventListener('click', () => find('help-dialog').showModal());
  addEventListener('keydown', (event) => {
    const { key, ctrlKey, metaKey, altKey, target } = event;
    const typing = target instanceof HTMLInputElement && target.type !== 'radio';
    if (ctrlKey || metaKey || altKey || typing || document.querySelector('dialog[open]') !== null) return;
    const one = shortcuts.find(({ keys }) => keys.includes(key));
    if (one === undefined) return;
    event.preventDefault();
    one.act(key);
  });
}

/** Creates the choice of colours, kept in this browser. `onChange` follows each change, the system's too. */
export function createTheme(onChange) {
  let theme = read();
  const show = () => {
    if (theme === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    find('theme').textContent = THEME_SIGN[theme];
    find('theme').setAttribute('aria-label', `Colours: ${THEME_TEXT[theme]}`);
  };
  const next = () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    try {
      localStorage.setItem('theme', theme);
    } catch {
      // A browser that keeps nothing still shows the choice until it is closed.
    }
    show();
    onChange();
  };
  find('theme').addEventListener('click', next);
  matchMedia('(prefers-color-scheme: light)').addEventListener('change', onChange);
  show();
  return { next };
}

function read() {
  try {
    const kept = localStorage.getItem('theme');
    return THEMES.includes(kept) ? kept : 'system';
  } catch {
    return 'system';
  }
}

/**
 * The key for reading, where the api wants one: asked for politely, and kept for as long as this tab is open.
 * It must not keep a key longer, nor put it into an address.
 */
import { find } from './page-text.js';

const PLACE = 'wick-key';

/** The key that was given in this tab, if any. */
export function keptKey() {
  try {
    return sessionStorage.getItem(PLACE) ?? undefined;
  } catch {
    // A browser that keeps nothing for pages.
    return undefined;
  }
}

/** Whether an error says that a key is needed, or that the one given will not do. */
export const wantsKey = (error) => error?.status === 401 || error?.status === 403;

/** Creates the prompt. With a key the page begins anew; whoever wants none is not asked again until then. */
export function createKeyPrompt() {
  const [dialog, form, field] = [find('access-dialog'), find('access-form'), find('access-key')];
  let wasAsked = false;

  form.addEventListener('submit', (event) => {
    const key = field.value.trim();
    if (event.submitter?.value !== 'do' || key === '') return;
    event.preventDefault();
    try {
      sessionStorage.setItem(PLACE, key);
      location.reload();
    } catch {
      find('access-error').textContent =
        'This browser keeps nothing for the page, so no key either; allow it and load again.';
    }
  });

  return {
    /** Asks for a key, saying what is wrong with the one there is. */
    ask(error) {
      if (wasAsked) return;
      wasAsked = true;
      find('access-error').textContent = keptKey() === undefined ? '' : error.message;
      dialog.showModal();
      field.focus();
    },
  };
}

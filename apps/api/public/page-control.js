/**
 * Start and stop of the feed, asked about first, with an API key where the api wants one.
 * It must not keep a key anywhere but in this page's memory.
 */
import { announce, find } from './page-text.js';

const ABOUT = {
  stop: 'Nothing is recorded until it starts again. Trades of that time are then fetched from the exchange’s history; quotes and tickers have none and stay missing.',
  start: 'Recording goes on. Trades missed meanwhile are fetched from the exchange’s history.',
};

/** Creates the control. `order(action, key)` gives the order; `onDone` is called after it was followed. */
export function createFeedControl(order, onDone) {
  const [button, dialog, form] = [find('feed'), find('feed-dialog'), find('feed-form')];
  let action = 'stop';
  let key;

  const fail = (error) => {
    const wantsKey = error.status === 401 || error.status === 403;
    if (wantsKey) find('key-field').hidden = false;
    find('feed-error').textContent = error.message;
    if (wantsKey) find('key').focus();
  };

  const follow = async () => {
    const typed = find('key').value.trim();
    if (typed !== '') key = typed;
    find('feed-do').disabled = true;
    try {
      await order(action, key);
      dialog.close();
      announce(action === 'stop' ? 'The feed is stopped' : 'The feed is running');
      onDone();
    } catch (error) {
      fail(error);
    } finally {
      find('feed-do').disabled = false;
    }
  };

  button.addEventListener('click', () => {
    find('feed-title').textContent = action === 'stop' ? 'Stop the feed?' : 'Start the feed?';
    find('feed-about').textContent = ABOUT[action];
    find('feed-do').textContent = action === 'stop' ? 'Stop it' : 'Start it';
    find('feed-error').textContent = '';
    dialog.showModal();
    find('feed-do').focus();
  });
  form.addEventListener('submit', (event) => {
    if (event.submitter?.value !== 'do') return;
    event.preventDefault();
    void follow();
  });

  return {
    /** Takes the state that ingest tells. */
    show(flow) {
      action = flow === 'stopped' ? 'start' : 'stop';
      button.hidden = flow === null;
      const text = action === 'stop' ? 'Stop feed' : 'Start feed';
      if (button.textContent !== text) button.textContent = text;
      button.classList.toggle('strong', action === 'start');
    },
  };
}

/**
 * Texts of the page: decimals with their thousands apart, times in UTC, and small elements.
 * It must not turn a price or quantity into a number; what the api sent is what is read.
 */

/** A decimal text with thousands apart and, if asked, zeros up to so many places. */
export function grouped(decimal, places = 0) {
  const [whole = '', fraction = ''] = String(decimal).split('.');
  const padded = fraction.padEnd(places, '0');
  const apart = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ',');
  return padded === '' ? apart : `${apart}.${padded}`;
}

/** How many places the longest fraction of some decimal texts has. */
export function placesOf(decimals) {
  return Math.max(0, ...decimals.map((text) => (text.split('.')[1] ?? '').length));
}

/** A change in percent, with its sign. */
export function percent(value) {
  const number = Number(value);
  return `${number > 0 ? '+' : number < 0 ? '−' : ''}${Math.abs(number).toFixed(2)} %`;
}

/** Which way a change goes: up, down or flat. */
export function wayOf(value) {
  const number = Number(value);
  return number > 0 ? 'up' : number < 0 ? 'down' : 'flat';
}

/** A number that is measured, short; a dash where there is none. */
export function measured(value, unit = '') {
  if (value === null || value === undefined) return '–';
  const digits = Math.abs(value) < 10 ? 1 : 0;
  return `${grouped(value.toFixed(digits))}${unit}`;
}

/** A time of day with milliseconds, UTC. */
export const clockText = (ms) => new Date(ms).toISOString().slice(11, 23);

/** A date and minute, UTC. */
export const minuteText = (ms) => new Date(ms).toISOString().slice(0, 16).replace('T', ' ');

/** A span of time in its two largest units. */
export function spanText(seconds) {
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${Math.floor(seconds) % 60} s` : `${Math.floor(seconds)} s`;
}

/** What a venue's trading status means to a reader. */
export function tradingText(status) {
  return { HALT: 'halted', BREAK: 'trading break', CANCEL_ONLY: 'cancel only' }[status] ?? status.toLowerCase();
}

/** The element of an id. */
export const find = (id) => document.getElementById(id);

/** Makes an element: attributes by name, `className`, and children. */
export function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === 'className') made.className = value;
    else if (value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** Says something to those who listen instead of look. */
export function announce(text) {
  find('announcer').textContent = text;
}

// What the whole page uses: which server, which transport, and the theme.

const TRANSPORTS = {
  upgrade: ['polling', 'websocket'],
  websocket: ['websocket'],
  polling: ['polling'],
};

const THEMES = ['auto', 'light', 'dark'];

/** What people call each kind of server. */
export const SERVER_NAMES = { native: 'native', hosted: 'npm socket.io' };

/** What people call each transport of Engine.IO. */
export const TRANSPORT_NAMES = { polling: 'Polling', websocket: 'WebSocket' };

/** Emits `change` when the user has chosen another server or transport. */
export class Settings extends EventTarget {
  transport = 'upgrade';
  #servers = new Map();

  /** @param {{ kind: string, port: number }[]} servers - the page's own first, which is used until another is chosen */
  constructor(servers) {
    super();
    const [own, ...others] = servers;
    this.server = own.kind;
    this.#servers.set(own.kind, location.origin);
    for (const { kind, port } of others) {
      this.#servers.set(kind, `${location.protocol}//${location.hostname}:${port}`);
    }
  }

  /**
   * @param {string} [kind] - of a server; the chosen one if left out
   * @returns {string} where its sockets connect
   */
  urlOf(kind = this.server) {
    return this.#servers.get(kind);
  }

  /** @returns {string[]} as socket.io-client takes them */
  get transports() {
    return TRANSPORTS[this.transport];
  }

  /**
   * @param {'server' | 'transport'} name
   * @param {string} value
   */
  choose(name, value) {
    if (this[name] === value) return;
    this[name] = value;
    this.dispatchEvent(new Event('change'));
  }
}

/**
 * Binds the radio buttons of the page.
 * @param {Settings} settings
 */
export function bindSettings(settings) {
  for (const name of ['server', 'transport']) {
    const radios = [...document.querySelectorAll(`input[name=${name}]`)];
    for (const radio of radios) {
      radio.addEventListener('change', () => settings.choose(name, radio.value));
    }
    const show = () => {
      for (const radio of radios) radio.checked = radio.value === settings[name];
    };
    settings.addEventListener('change', show);
    show(); // browsers restore form fields of an earlier visit
  }
}

/**
 * Has a button switch between the system's theme, light and dark. The choice is remembered.
 * @param {HTMLButtonElement} button
 */
export function bindTheme(button) {
  const show = (theme) => {
    document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
    window.dispatchEvent(new Event('themechange'));
  };
  const remembered = localStorage.getItem('theme');
  let theme = THEMES.includes(remembered) ? remembered : 'auto';
  show(theme);
  button.addEventListener('click', () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    localStorage.setItem('theme', theme);
    show(theme);
  });
  window
    .matchMedia('(prefers-color-scheme: dark)')
    .addEventListener('change', () => window.dispatchEvent(new Event('themechange')));
}

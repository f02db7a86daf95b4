// The things to try, each with a button that does it and a mark when it has been done.

/**
 * @param {HTMLElement} list
 * @param {Record<string, () => Promise<unknown>>} steps - by the name of the button
 */
export function bindTour(list, steps) {
  const buttons = [...list.querySelectorAll('[data-tour]')];
  for (const button of buttons) {
    button.addEventListener('click', async () => {
      button.disabled = true;
      try {
        await steps[button.dataset.tour]();
        button.closest('li').classList.add('done');
      } finally {
        button.disabled = false;
      }
      const next = buttons.find((each) => !each.closest('li').classList.contains('done'));
      for (const each of buttons) each.classList.toggle('primary', each === next);
    });
  }
}

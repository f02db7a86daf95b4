// The things to try, each with a button that does it, a mark when it has been done, and what came of it.

/**
 * @param {HTMLElement} list
 * @param {Record<string, () => Promise<string>>} steps - by the name of the button; each says what came of it
 */
export function bindTour(list, steps) {
  const buttons = [...list.querySelectorAll('[data-tour]')];

  const run = async (button) => {
    const item = button.closest('li');
    const outcome = item.querySelector('p');
    // Not `disabled`: the button would lose the focus.
    button.setAttribute('aria-disabled', 'true');
    try {
      outcome.textContent = await steps[button.dataset.tour]();
      item.dataset.outcome = 'done';
    } catch (error) {
      outcome.textContent = error.message;
      item.dataset.outcome = 'failed';
    } finally {
      button.removeAttribute('aria-disabled');
    }
    const next = buttons.find((each) => each.closest('li').dataset.outcome !== 'done');
    for (const each of buttons) each.classList.toggle('primary', each === next);
  };

  for (const button of buttons) {
    button.addEventListener('click', () => {
      if (!button.hasAttribute('aria-disabled')) run(button);
    });
  }
}

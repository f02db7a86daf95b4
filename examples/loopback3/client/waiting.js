// Waiting for what may never come.

/**
 * @template T
 * @param {Promise<T>} promise
 * @param {number} ms
 * @param {string} message - of the error if the promise takes longer
 * @returns {Promise<T>}
 */
export async function within(promise, ms, message) {
  let timer;
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error(message)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

'use strict';

/**
 * What the header of a binary for Linux tells about it, before it is loaded.
 */

const fs = require('node:fs');

/** Processors in the header of a binary for Linux (`e_machine` of ELF), as `process.arch` has them. */
const ELF_MACHINES = new Map([
  [0x03, 'ia32'],
  [0x16, 's390x'],
  [0x28, 'arm'],
  [0x3e, 'x64'],
  [0xb7, 'arm64'],
  [0xf3, 'riscv64'],
]);

/** How long the header of an ELF file is, in bytes, and where in it what is. */
const ELF_HEADER = { length: 64, machine: 18, sections: 40, sectionSize: 58, sectionCount: 60 };

/**
 * What is wrong with a binary for Linux, as far as its header tells. The system does not say it: a file
 * that is incomplete ends the process when it is loaded, and one for another processor "does not exist".
 *
 * @param {string} file
 * @param {string} cpu of this process, as `process.arch` has it
 * @returns {Error|undefined}
 */
function elfFault(file, cpu) {
  if (!file.endsWith('.node')) return undefined; // NAPI_RS_NATIVE_LIBRARY_PATH may name a module.
  const header = Buffer.alloc(ELF_HEADER.length);
  let size;
  try {
    const descriptor = fs.openSync(file);
    try {
      size = fs.fstatSync(descriptor).size;
      fs.readSync(descriptor, header, 0, header.length, 0);
    } finally {
      fs.closeSync(descriptor);
    }
  } catch {
    return undefined; // The system says why when it opens the binary.
  }
  if (header.toString('latin1', 0, 4) !== '\x7fELF') return new Error('it is no binary for Linux');
  const machine = header.readUInt16LE(ELF_HEADER.machine);
  if (ELF_MACHINES.get(machine) !== cpu) {
    return new Error(`it is for the processor ${ELF_MACHINES.get(machine) ?? machine}`);
  }
  const sections =
    header.readUInt16LE(ELF_HEADER.sectionCount) * header.readUInt16LE(ELF_HEADER.sectionSize);
  const complete = Number(header.readBigUInt64LE(ELF_HEADER.sections)) + sections;
  if (size < complete) return new Error(`it has only ${size} of its ${complete} bytes`);
  return undefined;
}

module.exports = { elfFault };

'use strict';

// What Rust and JavaScript share is defined in src/protocol.rs, and read from the addon.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { describe, it } = require('node:test');
const protocol = require('../../lib/native/protocol');

const LIB = path.join(__dirname, '..', '..', 'lib');

/** Formats that are not ours: their numbers are those of their specifications. */
const FOREIGN = new Set(['native/msgpack.js']);

/** Every file of lib/ without its comments. */
const sources = fs
  .readdirSync(LIB, { recursive: true })
  .map((name) => name.replaceAll(path.sep, '/'))
  .filter((name) => /\.m?js$/.test(name) && !FOREIGN.has(name))
  .map((name) => [name, withoutComments(fs.readFileSync(path.join(LIB, name), 'utf8'))]);

function withoutComments(text) {
  return text.replace(/\/\*[^]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');
}

/** Every constant: the name of its group, its own name, its value. */
const constants = Object.entries(protocol).flatMap(([group, names]) =>
  Object.entries(names).map(([name, value]) => ({ group, name, value })),
);

/** The names that a file takes from each group of the protocol, whichever way it does. */
function namesTaken(text) {
  const taken = [];
  const groups = "(?:protocol|require\\('[./]*/?(?:native/)?protocol'\\))\\.(\\w+)";
  for (const [, list, group] of text.matchAll(
    new RegExp(`const \\{([^}]*)\\}\\s*=\\s*${groups}\\s*;`, 'g'),
  )) {
    for (const entry of list.split(',').filter((one) => one.trim() !== '')) {
      taken.push([group, entry.split(':')[0].trim()]);
    }
  }
  for (const [, list] of text.matchAll(
    /const \{([^}]*)\} = require\('[./]*\/?(?:native\/)?protocol'\);/g,
  )) {
    for (const group of list.split(',').map((one) => one.trim())) {
      for (const [, name] of text.matchAll(new RegExp(`\\b${group}\\.(\\w+)`, 'g'))) {
        taken.push([group, name]);
      }
    }
  }
  return taken;
}

describe('the protocol between Rust and JavaScript', () => {
  it('the constants that the addon exports are frozen', () => {
    assert.ok(Object.isFrozen(protocol));
    for (const [group, names] of Object.entries(protocol)) {
      assert.ok(Object.isFrozen(names), group);
    }
    assert.ok(constants.length > 50, `${constants.length} constants were found`);
  });

  it('every name that lib/ takes from the protocol is one that the addon exports', () => {
    let count = 0;
    for (const [file, text] of sources) {
      for (const [group, name] of namesTaken(text)) {
        count += 1;
        assert.ok(name in (protocol[group] ?? {}), `${file} takes ${group}.${name}`);
      }
    }
    assert.ok(count > 50, `${count} names were found`);
  });

  it('every constant that the addon exports is used in lib/', () => {
    const used = new Set(
      sources.flatMap(([, text]) => namesTaken(text).map(([group, name]) => `${group}.${name}`)),
    );
    // JavaScript compares with the other values only, and these are what remains.
    const implied = ['ChannelReport.ENDED', 'RelayAction.DESTROY', 'RequestVerdict.SERVED'];
    const unused = constants.map(({ group, name }) => `${group}.${name}`);
    assert.deepEqual(
      // Rust finds most refusals, and puts all of them into words.
      unused.filter((name) => !used.has(name) && !name.startsWith('Refusal.')),
      implied,
    );
  });
});

describe('copies of the protocol', () => {
  /** Asserts that nothing in any file matches. */
  function none(pattern, isAllowed = () => false) {
    for (const [file, text] of sources) {
      for (const [match, ...groups] of text.matchAll(pattern)) {
        assert.ok(isAllowed(...groups), `${file}: ${match}`);
      }
    }
  }

  it('no constant of lib/ that is called as one of the protocol has a value written out', () => {
    const names = constants.map(({ name }) => name).join('|');
    const value = '(?:-?\\d|[\'"`]\\w[\'"`])';
    none(new RegExp(`\\b(?:const|let|var) (?:${names}) = ${value}`, 'g'));
  });

  it('no file of lib/ has a number below -1, as the verdicts of the addon are', () => {
    none(/(?<![\w)\]\s])\s*-(?:[2-9]|\d\d)/g);
  });

  it('no file of lib/ takes a number apart by shifts, or by a radix written out', () => {
    const radices = [protocol.Layout.ATTACHMENT_RADIX, protocol.Layout.METHOD_RADIX];
    none(/\b(\d+) (<<|\*\*) (\d+)\b/g, (base, operator, power) => {
      const value = operator === '**' ? base ** power : base * 2 ** power;
      return !radices.includes(value);
    });
    none(/\b(?:16_?384|16_?777_?216|0x4000|0x100_?0000)\b/gi);
    none(/[\w)\]] (?:>>>?|& 0x) ?/g);
  });

  it('no file of lib/ begins the line of a command with a letter written out', () => {
    none(/[`'"][A-Za-z]\\t/g);
    const writer = sources.filter(([file]) => file === 'native/command-writer.js');
    assert.equal(writer.length, 1);
    assert.doesNotMatch(writer[0][1], /[`'"][A-Za-z][`'"]/);
  });

  it('no file of lib/ compares a code of the addon with a number written out', () => {
    none(/\b(?:kind|code|reason|refusal|verdict|action|next|flags) [!=]== -?\d/g);
    none(/\b(?:REASONS|NATIVE|FAULTS)\[/g);
  });
});

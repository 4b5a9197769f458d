// Xen's command line (docs/misc/xen-command-line.pandoc): words, of which some are name=value.

/** The words in their order; the last of a name counts. */
export type Parameters = readonly string[];

export const parametersOf = (commandline: string): Parameters => commandline.split(/\s+/).filter((word) => word !== '');

/** What a parameter is given as, or undefined where it is not named; '' where it is named alone. */
export function parameterOf(parameters: Parameters, name: string): string | undefined {
  let value: string | undefined;
  for (const word of parameters) {
    if (word === name) value = '';
    else if (word.startsWith(`${name}=`)) value = word.slice(name.length + 1);
  }
  return value;
}

/** A boolean parameter: `name`, `name=1`, `no-name`, `name=off` and their like; undefined where nobody says. */
export function isOn(parameters: Parameters, name: string): boolean | undefined {
  let on: boolean | undefined;
  for (const word of parameters) {
    if (word === name) on = true;
    else if (word === `no-${name}`) on = false;
    else if (word.startsWith(`${name}=`)) {
      const value = word.slice(name.length + 1);
      if (/^(1|true|enable|yes|on)$/.test(value)) on = true;
      else if (/^(0|false|disable|no|off)$/.test(value)) on = false;
    }
  }
  return on;
}

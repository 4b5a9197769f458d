// Virtual sound cards: `vsnd = [ [ "card, short-name=Main", "pcm, name=dev1", "stream, type=P" ] ]` (parse_vsnd_config in xl_parse.c).
import { option, skipSpaces, strtoul, tokens, uint32 } from './c-text.ts';
import { quote } from './lex.ts';
import type { Reading } from './reading.ts';
import { leadingStrings } from './settings.ts';
import { type DeviceVsnd, named, type VsndParams, type VsndPcm, type VsndStream, vsndFormats, vsndStreamTypes } from './types.ts';

/** The sound cards. An item belongs to the last pcm or stream that the list has begun. */
export function readVsnds(reading: Reading): DeviceVsnd[] {
  const fail = (message: string) => reading.fail('vsnd', message);
  return (reading.list('vsnd') ?? []).map((card, devid) => {
    const pcms: Pcm[] = [];
    const vsnd: DeviceVsnd & { params: VsndParams } = { devid, params: {}, pcms };
    if (card.type !== 'list') {
      fail('each sound card must be a list of its own: put it in brackets');
      return vsnd;
    }
    for (const item of leadingStrings(card.values)) {
      const [kind, ...words] = tokens(item, ',').map(skipSpaces);
      if (kind === undefined) continue;
      const scope = kind.toLowerCase();
      if (scope !== 'card' && scope !== 'pcm' && scope !== 'stream')
        fail(`a sound card has items card, pcm and stream, not ${quote(kind)}`);
      if (scope === 'pcm' || (scope === 'stream' && pcms.length === 0)) pcms.push({ params: {}, streams: [] });
      const pcm = pcms.at(-1);
      if (scope === 'stream') pcm!.streams.push({ params: {} });
      for (const word of words) {
        if (scope === 'card')
          readWord(
            reading,
            vsnd.params,
            word,
            { backend: 'backend_domname', 'short-name': 'short_name', 'long-name': 'long_name' },
            vsnd,
          );
        else if (scope === 'pcm') readWord(reading, pcm!.params, word, { name: 'name' }, pcm!);
        else if (scope === 'stream') {
          const stream = pcm!.streams.at(-1)!;
          const type = option(word, 'type');
          if (type === undefined) readWord(reading, stream.params, word, { 'unique-id': 'unique_id' }, stream);
          else {
            stream.type = named(vsndStreamTypes, type);
            if (stream.type === undefined) fail(`the type of a stream is P or C, not ${quote(type)}`);
          }
        }
      }
    }
    return vsnd;
  });
}

type Stream = VsndStream & { params: VsndParams };
type Pcm = Omit<VsndPcm, 'streams'> & { params: VsndParams; streams: Stream[] };

/** A word of any item: one of the parameters, or one of the item's own strings. */
function readWord<F extends string>(
  reading: Reading,
  params: VsndParams,
  word: string,
  own: Readonly<Record<string, F>>,
  item: { [K in F]?: string | undefined },
): void {
  const equals = word.indexOf('=');
  const [key, value] = equals < 0 ? ['', ''] : [word.slice(0, equals), word.slice(equals + 1)];
  const numbers = { 'channels-min': 'channels_min', 'channels-max': 'channels_max', 'buffer-size': 'buffer_size' } as const;
  if (key === 'sample-rates' || key === 'sample-formats') {
    const list = tokens(value, ';');
    if (list.length === 0) reading.fail('vsnd', `an empty ${key} makes xl crash: give values separated by ;`, -11);
    if (key === 'sample-rates') params.sample_rates = list.map((rate) => uint32(strtoul(rate, 0).value));
    else
      params.sample_formats = list.flatMap((name) => {
        const format = named(vsndFormats, name);
        if (format === undefined) reading.fail('vsnd', `there is no sample format ${quote(name)}`);
        return format ?? [];
      });
  } else if (key === 'channels-min' || key === 'channels-max' || key === 'buffer-size')
    params[numbers[key]] = uint32(strtoul(value, 0).value);
  else if (Object.hasOwn(own, key)) item[own[key]!] = value;
  else reading.fail('vsnd', `there is no ${quote(word)} in a sound card`);
}

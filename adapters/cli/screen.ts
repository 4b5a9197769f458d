// What an operator would look at: the xl commands with their output, and the consoles that were opened, as they come.
import { byteStringToText } from '../../events/bytes.ts';
import { eventsOf } from '../../events/step.ts';
import type { DomId } from '../../events/units.ts';
import type { Step } from '../../events/vocabulary.ts';
import type { Host } from '../../src/host.ts';
import { parseArgv } from '../../src/toolstack/xl/argv.ts';
import { domainNamed } from '../play.ts';

export interface ScreenPorts {
  readonly host: Host;
  /** Both take text that may stop in the middle of a line. */
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

export class Screen {
  private readonly ports: ScreenPorts;
  /** Jobs of "xl create -c" that have not made their domain yet. */
  private readonly opening = new Set<string>();
  private readonly watched = new Set<DomId>();
  /** Whose text is on the screen: what somebody else says starts on a new line, with a heading. */
  private speaker = 'xl';
  private column = 0;

  constructor(ports: ScreenPorts) {
    this.ports = ports;
  }

  /** Shows what a step has to show. */
  see({ time, origin, outcome }: Step): void {
    for (const event of eventsOf(outcome)) {
      switch (event.type) {
        case 'xl.job_started':
          this.heading('xl', time, `dom0# xl ${event.argv.map(byteStringToText).join(' ')}`);
          this.open(`xl.${event.job}`, event.argv);
          break;
        case 'domain.created':
          if (this.opening.delete(origin)) this.watched.add(event.domid);
          break;
        case 'domain.destroyed':
          this.watched.delete(event.domid);
          break;
        case 'xl.printed':
          this.speak('xl', time, 'dom0');
          if (event.stream === 'stderr') this.ports.err(readable(event.text));
          else this.print(event.text);
          break;
        case 'console.output': {
          if (!this.watched.has(event.dom)) break;
          this.speak(`console ${event.dom}`, time, `the console of ${this.nameOf(event.dom)}`);
          this.print(event.text);
          break;
        }
      }
    }
  }

  private open(job: string, argv: readonly string[]): void {
    const parsed = parseArgv(argv);
    if (!parsed.ok) return;
    const { command, options, words } = parsed.invocation;
    if (command === 'create' && options.includes('c')) this.opening.add(job);
    const [name] = words;
    if (command !== 'console' || name === undefined) return;
    const dom = /^\d+$/.test(name) ? Number(name) : domainNamed(this.ports.host, name);
    if (dom !== undefined) this.watched.add(dom);
  }
  private nameOf(dom: DomId): string {
    return byteStringToText(this.ports.host.store.node(`/local/domain/${dom}/name`)?.value ?? `domain ${dom}`);
  }
  private speak(speaker: string, time: number, who: string): void {
    if (this.speaker !== speaker) this.heading(speaker, time, who);
  }
  private heading(speaker: string, time: number, text: string): void {
    this.speaker = speaker;
    this.print(`${this.column > 0 ? '\n' : ''}[${(time / 1e9).toFixed(3).padStart(8)}s] ${text}\n`);
  }
  private print(text: string): void {
    const shown = readable(text);
    this.ports.out(shown);
    const newline = shown.lastIndexOf('\n');
    this.column = newline < 0 ? this.column + shown.length : shown.length - newline - 1;
  }
}

/** A terminal's text for a file or a pipe. */
const readable = (text: string): string => byteStringToText(text).replaceAll('\r\n', '\n');

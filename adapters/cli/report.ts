// What became of the xl commands of a run.
import { byteStringToText } from '../../events/bytes.ts';
import { eventsOf } from '../../events/step.ts';
import type { Step } from '../../events/vocabulary.ts';
import type { ScenarioError, ScenarioRun } from '../../src/scenario/index.ts';

export interface JobReport {
  readonly argv: readonly string[];
  /** The exit status; null where it still runs (an open console). */
  readonly rc: number | null;
}

export class Report {
  private readonly order: number[] = [];
  private readonly byJob = new Map<number, JobReport>();

  note({ outcome }: Step): void {
    for (const event of eventsOf(outcome)) {
      if (event.type === 'xl.job_started') {
        this.order.push(event.job);
        this.byJob.set(event.job, { argv: event.argv, rc: null });
      } else if (event.type === 'xl.exited') this.byJob.set(event.job, { argv: this.byJob.get(event.job)!.argv, rc: event.rc });
    }
  }
  get jobs(): readonly JobReport[] {
    return this.order.map((job) => this.byJob.get(job)!);
  }

  /** The commands that ended otherwise than the scenario says, at their places. */
  surprises(run: ScenarioRun): ScenarioError[] {
    const asked = run.inputs.flatMap(({ item, place }) => (item.kind === 'xl' ? [{ item, place }] : []));
    return this.jobs.flatMap(({ argv, rc }, i) => {
      const { item, place } = asked[i] ?? {};
      if (!item || !place || rc === null || rc === item.exit) return [];
      const command = `xl ${argv.map(byteStringToText).join(' ')}`;
      const advice = rc === 0 ? 'take out its exit' : `see what it said, or write exit: ${rc} where that is meant`;
      return [{ ...place, message: `${command} exited with ${rc}, not with ${item.exit}: ${advice}` }];
    });
  }
}

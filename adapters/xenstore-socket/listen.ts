// A Unix socket that is ours: a file left behind by somebody who is gone is replaced, one that somebody serves is not.
import { existsSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { Failure, systemFailure } from '../failure.ts';

/** @throws Failure where the socket can not be made */
export async function listen(path: string, accept: (socket: Socket) => void): Promise<Server> {
  // For a directory that is missing the system complains of permissions.
  if (!existsSync(dirname(path))) throw systemFailure('listen', dirname(path), { code: 'ENOENT' });
  await clear(path);
  const server = createServer(accept);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(systemFailure('listen', path, error)));
    server.listen(path, resolve);
  });
  return server;
}

async function clear(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSocket()) throw new Failure('there is a file that is no socket', path, 'name another path, or remove it');
  if (await answers(path)) throw new Failure('somebody serves this socket already', path, 'stop it, or name another path');
  unlinkSync(path);
}

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    // EAGAIN: its backlog is full, so it is there.
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EAGAIN'));
  });

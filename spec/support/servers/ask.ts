import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import type { DeskCard } from './desk'

/** The desk of this run, as jest's global set-up left its card in the environment. */
export function deskCard(): DeskCard {
  const card = process.env['SPEC_DESK']
  if (card === undefined)
    throw new Error('No databases were set up for this process. Run the specs with `npx jest`.')
  return JSON.parse(card) as DeskCard
}

/** Asks the desk for something and gives its answer. */
export async function ask(path: string, body = ''): Promise<unknown> {
  const { statusCode, answer } = await post(deskCard().port, path, body)
  if (statusCode === 200) return JSON.parse(answer)
  throw new Error(answer)
}

function post(
  port: number,
  path: string,
  body: string,
): Promise<{ statusCode: number | undefined; answer: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: '127.0.0.1', port, path, method: 'POST', agent: false },
      (response) => {
        text(response).then(
          (answer) => resolve({ statusCode: response.statusCode, answer }),
          reject,
        )
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })
}

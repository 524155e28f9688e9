/** The socket behind Trezor's client, in memory: says what it is told to, and hangs up where the client would wait for more. */
import { EventEmitter } from "node:events";

/** Stands in for `ws`, which the client uses outside of a browser. */
export class FakeSuite extends EventEmitter {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;
  /** The text of the answer to a frame; `method` is empty for the greeting. */
  static answer: (method: string, id: string) => string = () => "{}";
  readyState = FakeSuite.CONNECTING;

  constructor() {
    super();
    queueMicrotask(() => {
      this.readyState = FakeSuite.OPEN;
      this.emit("open");
    });
  }

  send(frame: string): void {
    const { id, payload } = JSON.parse(frame) as { id: string; payload?: { method?: string } };
    const text = FakeSuite.answer(payload?.method ?? "", id);
    setImmediate(() => {
      this.emit("message", Buffer.from(text));
      // An answer that answers nothing is no answer: after it the connection ends, as that of a Suite that is closed.
      setImmediate(() => {
        if (!isAnswer(text, id)) this.close();
      });
    });
  }

  close(): void {
    if (this.readyState === FakeSuite.CLOSED) return;
    this.readyState = FakeSuite.CLOSED;
    queueMicrotask(() => this.emit("close"));
  }
}

function isAnswer(text: string, id: string): boolean {
  try {
    const { id: said } = JSON.parse(text) as { id?: unknown };
    return Number(said) === Number(id);
  } catch {
    return false;
  }
}

export default FakeSuite;

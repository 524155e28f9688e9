/** The bare thing that the bridge is measured against: `ws` that sends back what it gets. Prints its port. */
import { WebSocketServer } from "ws";

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
server.on("connection", (socket) => {
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
});
server.on("listening", () =>
  process.stdout.write(`${JSON.stringify({ msg: "listening", port: server.address().port })}\n`),
);

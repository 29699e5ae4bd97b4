// nginx with the files of examples/nginx, on ports of its own.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, connect } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { Child, root, temporaryFolder, within } from "../support/gateway.mjs";
import { checkLog, watchLog } from "../support/logs.mjs";

const example = (name) => readFileSync(join(root, "examples/nginx", name), "utf8");

/** Replaces a text that must be there: what the example says is what is tested. */
function changed(text, ...pairs) {
  return pairs.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`examples/nginx does not say ${from}`);
    return text.replaceAll(from, to);
  }, text);
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

async function untilItListens(port) {
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    const open = await Promise.race([once(socket, "connect").then(() => true), once(socket, "error").then(() => false)]).catch(() => false);
    socket.destroy();
    if (open) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/**
 * Starts nginx before the gateway at `upstream`, which it speaks to by HTTP/`version`. With `session`, the address of
 * a service that knows who has signed on, it asks that first. `changes` are pairs of strings, for what the example
 * warns of. Returns its address.
 */
export async function startNginx(t, upstream, version, session, changes = []) {
  let folder;
  const accessLog = () => join(folder, "access.log");
  t.after(() => checkLog(readFileSync(accessLog(), "utf8").split("\n"))); // before the folder is removed
  folder = temporaryFolder(t);
  const [certificate, key] = ["tls.pem", "tls.key"].map((name) => join(folder, name));
  execFileSync("openssl", [
    "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=ticks.example.com",
    "-keyout", key, "-out", certificate,
  ], { stdio: "pipe" });
  const port = await freePort();
  let server = changed(
    example("tickfan.conf"),
    ["listen 443 ", `listen 127.0.0.1:${port} `],
    ["/etc/nginx/tls/ticks.example.com.pem", certificate],
    ["/etc/nginx/tls/ticks.example.com.key", key],
    ["http://127.0.0.1:8080", `http://${upstream}`],
    ["/var/log/nginx/ticks.log", accessLog()],
    ["/var/log/nginx/ticks-error.log", "stderr"],
    ["proxy_http_version 1.1", `proxy_http_version ${version}`],
    ...changes,
  );
  if (session) {
    const ask = changed(example("sign-on.conf"), ["http://127.0.0.1:9000", `http://${session}`]);
    server = changed(
      server,
      ["    location / {", `${ask}\n    location / {\n        auth_request /session;`],
      ["    location ~ ^/v1/stream(/|$) {", "    location ~ ^/v1/stream(/|$) {\n        auth_request /session;"],
    );
  }
  mkdirSync(join(folder, "temporary"));
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${folder}/temporary/${kind};`);
  await run(t, folder, port, `http { access_log off; ${temporary.join(" ")}\n${server} }`);
  return `https://ticks.example.com:${port}`;
}

/** Starts nginx that passes TLS on to the gateway's port for https. Returns its own port. */
export async function startPassingNginx(t, tlsPort) {
  const port = await freePort();
  const server = changed(example("passing.conf"), ["listen 443;", `listen 127.0.0.1:${port};`], ["127.0.0.1:8443", `127.0.0.1:${tlsPort}`]);
  await run(t, temporaryFolder(t), port, server, "load_module /usr/lib/nginx/modules/ngx_stream_module.so;");
  return port;
}

/** Runs nginx with these blocks until the test ends, and waits until it listens. */
async function run(t, folder, port, blocks, modules = "") {
  // As root, its workers would be another user, who may not read the certificate of this folder.
  const user = process.getuid() === 0 ? "user root;" : "";
  writeFileSync(join(folder, "nginx.conf"), `
    ${modules} ${user} daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr warn;
    events { worker_connections 128; }
    ${blocks}
  `);
  const command = existsSync("/usr/sbin/nginx") ? "/usr/sbin/nginx" : "nginx";
  const nginx = new Child(t, command, ["-p", folder, "-c", "nginx.conf", "-e", "stderr"]);
  watchLog(t, nginx);
  await within(() => `nginx listens: ${nginx.text()}`, Promise.race([untilItListens(port), nginx.exited]));
}

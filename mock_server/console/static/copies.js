// A request of the journal as something to paste.

import { API } from "./api.js";
import { shell } from "./code.js";

const SENT = ["content-type", "accept"];

const sentHeaders = ({ headers }) => SENT.filter((name) => headers[name] && headers[name] !== "*/*").map((name) => [name, headers[name]]);
const needsToken = ({ headers }) => headers.authorization?.startsWith("Bearer");

/** The request as a command of a POSIX shell. */
export function asCurl(entry) {
  const lines = [`curl -i ${entry.method === "GET" ? "" : `-X ${entry.method} `}${shell(API + entry.path)}`];
  if (needsToken(entry)) lines.push('-H "Authorization: Bearer $TOKEN"');
  for (const [name, value] of sentHeaders(entry)) lines.push(`-H ${shell(`${name}: ${value}`)}`);
  if (entry.body) lines.push(`--data-raw ${shell(entry.body)}`);
  return `${lines.join(" \\\n  ")}\n`;
}

/** A text as a Python string. JSON's are Python's, too. */
const python = (text) => JSON.stringify(text);

/** A fault as the journal writes it, as arguments: `delay=2,drop=after` becomes `delay=2, drop="after"`. */
function faultArguments(fault) {
  return fault
    .split(",")
    .map((part) => part.trim().split("="))
    .filter(([name, value]) => /^\w+$/.test(name) && value !== undefined)
    .map(([name, value]) => `${name}=${/^(true|false)$/.test(value) ? value[0].toUpperCase() + value.slice(1) : /^[\d.]+$/.test(value) ? value : python(value)}`);
}

/** The request as a test with the fixture `alvys_mock`, which expects the same status again. */
export function asPytest(entry) {
  const headers = sentHeaders(entry).map(([name, value]) => `${python(name)}: ${python(value)}`);
  if (needsToken(entry)) headers.unshift('"authorization": f"Bearer {alvys_mock.token()}"');
  const request = [
    `        ${python(entry.method)},`,
    `        alvys_mock.url + ${python(entry.path)},`,
    ...(headers.length ? [`        headers={${headers.join(", ")}},`] : []),
    ...(entry.body ? [`        content=${python(entry.body)}.encode(),`] : []),
  ];
  const what = entry.fault ? faultArguments(entry.fault) : [];
  const lines = ["import httpx2"];
  if (entry.status === null) lines.push("import pytest");
  lines.push("", "", `def test_request_${entry.id}(alvys_mock):`);
  if (what.length) lines.push(`    alvys_mock.fail_next(operation=${python(entry.operation)}, ${what.join(", ")})`);
  if (entry.status === null) {
    lines.push("    with pytest.raises(httpx2.TransportError):", "        httpx2.request(", ...request.map((line) => `    ${line}`), "        )");
  } else {
    lines.push("    response = httpx2.request(", ...request, "    )", `    assert response.status_code == ${entry.status}`);
  }
  return `${lines.join("\n")}\n`;
}

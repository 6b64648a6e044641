// A request as code: what it sends is what the page would send, byte for byte.

/** Characters that no reader of the code would see, or that change the order of those around them. */
const UNSEEN = "\\u0000-\\u001f\\u007f-\\u00a0\\u00ad\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff";
const CONTROL = new RegExp(`[${UNSEEN}]`, "g");
const PLAIN = new RegExp(`^(\n|[^${UNSEEN}\\ud800-\\udfff])*$`);
const hex = (character) => character.charCodeAt(0).toString(16).padStart(4, "0");

/** A text between double quotes. JSON's escapes are those of Python, JavaScript, C# and Go, too. */
const quoted = (text) => JSON.stringify(text).replace(CONTROL, (one) => `\\u${hex(one)}`);

const JAVA = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** The same in Java, in ASCII. It reads an escape such as \u000a before the text, so control characters are octal. */
const java = (text) =>
  `"${text
    .replace(/["\\]/g, "\\$&")
    .replace(/[^ -~]/g, (one) => JAVA[one] ?? (one < " " ? `\\${one.charCodeAt(0).toString(8).padStart(3, "0")}` : `\\u${hex(one)}`))}"`;

/** A text as one word of a POSIX shell. */
export const shell = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/** Several lines as they are, between marks that are not in them; else in one line, with escapes. */
const lines = (text, forbidden, before, after, otherwise) =>
  text.includes("\n") && PLAIN.test(text) && !/ $/m.test(text) && !forbidden.test(text)
    ? before + text + after
    : otherwise(text);

const python = (text) => lines(text, /\\|"""|"$/, '"""', '"""', quoted);
const script = (text) => lines(text, /[\\`]|\$\{/, "`", "`", quoted);
const block = (text) => lines(text, /\\|"""|"$|[^\n -~]|^\s/, '"""\n', '"""', java);
const raw = (text) => lines(text, /"""/, '"""\n', '\n"""', quoted);
const golang = (text) => lines(text, /`/, "`", "`", quoted);

/** Whether no header says what the body is; some clients then say it themselves. */
export const isTypeless = (headers) => !headers.some(([name]) => name.toLowerCase() === "content-type");

const NOTE = "No response came? Send it again with the same reference number: nothing is paid twice.";

function curl({ method, url, headers, body }) {
  const parts = [`curl -i --max-time 30 ${/[[\]{}]/.test(url) ? "-g " : ""}-X ${method} ${shell(url)}`];
  for (const [name, value] of headers) parts.push(`-H ${shell(value ? `${name}: ${value}` : `${name};`)}`);
  if (body && isTypeless(headers)) parts.push("-H 'Content-Type:'"); // else curl says that it is a form
  if (body) parts.push(`--data-raw ${shell(body)}`);
  return parts.join(" \\\n  ");
}

const pythonWith = (library, argument) => ({ method, url, headers, body }) =>
  [
    `import ${library}`,
    "",
    `response = ${library}.request(`,
    `    ${quoted(method)},`,
    `    ${quoted(url)},`,
    ...(headers.length ? ["    headers={", ...headers.map(([name, value]) => `        ${quoted(name)}: ${quoted(value)},`), "    },"] : []),
    ...(body ? [`    ${argument}=${python(body)}.encode(),`] : []),
    "    timeout=30,",
    ")",
    "print(response.status_code, response.text)",
  ].join("\n");

const typescript = ({ method, url, headers, body }) =>
  [
    `const response = await fetch(${quoted(url)}, {`,
    `  method: ${quoted(method)},`,
    ...(headers.length ? ["  headers: {", ...headers.map(([name, value]) => `    ${quoted(name)}: ${quoted(value)},`), "  },"] : []),
    ...(body ? [`  body: ${isTypeless(headers) ? `new TextEncoder().encode(${script(body)})` : script(body)},`] : []),
    "  signal: AbortSignal.timeout(30_000),",
    "});",
    "console.log(response.status, await response.text());",
  ].join("\n");

const javaCode = ({ method, url, headers, body }) => `import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;

public class Send {
    public static void main(String[] args) throws Exception {
        var body = ${body ? `HttpRequest.BodyPublishers.ofString(${block(body)})` : "HttpRequest.BodyPublishers.noBody()"};
        var request = HttpRequest.newBuilder(URI.create(${java(url)}))
            .timeout(Duration.ofSeconds(30))
${headers.map(([name, value]) => `            .header(${java(name)}, ${java(value)})\n`).join("")}            .method(${java(method)}, body)
            .build();
        var response = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        System.out.println(response.statusCode() + " " + response.body());
    }
}`;

function csharp({ method, url, headers, body }) {
  const added = ([name, value]) => {
    const ofContent = /^content-/i.test(name);
    return ofContent && !body ? [] : [`request.${ofContent ? "Content." : ""}Headers.TryAddWithoutValidation(${quoted(name)}, ${quoted(value)});`];
  };
  return [
    "using System.Text;",
    "",
    "using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(30) };",
    `using var request = new HttpRequestMessage(new HttpMethod(${quoted(method)}), ${quoted(url)});`,
    ...(body ? [`request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(${raw(body)}));`] : []),
    ...headers.flatMap(added),
    "using var response = await client.SendAsync(request);",
    'Console.WriteLine($"{(int)response.StatusCode} {await response.Content.ReadAsStringAsync()}");',
  ].join("\n");
}

const go = ({ method, url, headers, body }) => `package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
${body ? '	"strings"\n' : ""}	"time"
)

func main() {
	request, err := http.NewRequest(${quoted(method)}, ${quoted(url)}, ${body ? `strings.NewReader(${golang(body)})` : "nil"})
	if err != nil {
		log.Fatal(err)
	}
${headers.map(([name, value]) => `	request.Header.Set(${quoted(name)}, ${quoted(value)})\n`).join("")}	client := http.Client{Timeout: 30 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	fmt.Println(response.StatusCode, string(text), err)
}`;

/** The languages, each with how it writes a request and how it begins a comment. */
export const LANGUAGES = {
  curl: ["#", curl],
  "Python (httpx2)": ["#", pythonWith("httpx2", "content")],
  "Python (requests)": ["#", pythonWith("requests", "data")],
  TypeScript: ["//", typescript],
  Java: ["//", javaCode],
  "C#": ["//", csharp],
  Go: ["//", go],
};

/**
 * The code that sends a request {method, url, headers, body}: headers are pairs of name and value, the body is text.
 * With `pays`, it says that the request may be sent again.
 */
export function codeFor(language, request, pays = false) {
  const [comment, write] = LANGUAGES[language];
  return `${pays ? `${comment} ${NOTE}\n` : ""}${write({ ...request, body: request.body.toWellFormed() })}\n`;
}

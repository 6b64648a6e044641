import java.io.IOException;
import java.math.BigDecimal;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.time.Instant;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Posts one customer payment, and retries without paying twice. Needs Java 17 or newer, and nothing else:
 *
 * <pre>java Pay.java http://127.0.0.1:8080 LD-1001 1250.10 ACH-1</pre>
 *
 * ALVYS_TOKEN is sent as the access token, if it is set. Exit status: 0 recorded, 1 refused, 2 no response.
 */
public class Pay {
    static final String PATH = "/api/p/v1.0/invoices/customer-payments";
    static final Set<Integer> RETRIED = Set.of(408, 429, 500, 502, 503, 504);
    static final int ATTEMPTS = 5;
    /** Who is told to wait longer should come back later, with the same reference. */
    static final double LONGEST_WAIT_SECONDS = 300;

    /** The service refuses the payment. To send the same request again would change nothing. */
    static class PaymentRefused extends Exception {
        PaymentRefused(String message) {
            super(message);
        }
    }

    /** Whether the payment was recorded is unknown. Send it again later, with the same reference. */
    static class NoResponse extends Exception {
        NoResponse(String message) {
            super(message);
        }
    }

    /**
     * Posts a payment until there is a response, and returns the body of the response.
     *
     * <p>Every attempt sends the same ReferenceNumber. If an earlier attempt was recorded and only its
     * response was lost, the service returns that payment and records no second one.
     */
    static String pay(HttpClient client, HttpRequest payment)
            throws PaymentRefused, NoResponse, InterruptedException {
        double wait = 0;
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            Thread.sleep((long) (wait * 1000));
            wait = (0.5 + Math.random() / 2) * 0.2 * Math.pow(2, attempt);
            HttpResponse<String> response;
            try {
                response = client.send(payment, HttpResponse.BodyHandlers.ofString());
            } catch (IOException error) {
                continue;
            }
            if (response.statusCode() == 200) {
                return response.body();
            }
            if (!RETRIED.contains(response.statusCode())) {
                String sentence = field(response.body(), "detail");
                throw new PaymentRefused(response.statusCode() + ": " + sentence);
            }
            wait = response.headers().firstValue("Retry-After").map(Double::parseDouble).orElse(wait);
            if (wait > LONGEST_WAIT_SECONDS) {
                throw new NoResponse("the service asks to wait for " + wait + " seconds");
            }
        }
        throw new NoResponse("no response after " + ATTEMPTS + " attempts");
    }

    /** The request. The amount is printed digit by digit: a double cannot hold every amount. */
    static HttpRequest request(String url, String load, BigDecimal amount, String reference, String token) {
        String body = """
                {"LoadNumber": %s, "Amount": {"Amount": %s, "Currency": 840},
                 "PaymentDate": %s, "ReferenceNumber": %s}
                """.formatted(
                quoted(load), amount.toPlainString(), quoted(Instant.now().toString()), quoted(reference));
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url + PATH))
                .timeout(Duration.ofSeconds(30))
                .header("Content-Type", "application/json-patch+json")
                .POST(HttpRequest.BodyPublishers.ofString(body));
        if (token != null) {
            request.header("Authorization", "Bearer " + token);
        }
        return request.build();
    }

    // Java brings no JSON. These two are enough for this example; use your JSON library instead.

    static String quoted(String text) {
        StringBuilder json = new StringBuilder("\"");
        for (char character : text.toCharArray()) {
            boolean plain = character >= ' ' && character != '"' && character != '\\';
            json.append(plain ? String.valueOf(character) : String.format("\\u%04x", (int) character));
        }
        return json.append('"').toString();
    }

    static String field(String json, String name) {
        Matcher found = Pattern.compile("\"" + name + "\"\\s*:\\s*\"((?:[^\"\\\\]|\\\\.)*)\"").matcher(json);
        return found.find() ? found.group(1) : json;
    }

    public static void main(String[] arguments) throws InterruptedException {
        String url = arguments[0], load = arguments[1], reference = arguments[3];
        BigDecimal amount = new BigDecimal(arguments[2]);
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        try {
            String recorded = pay(client, request(url, load, amount, reference, System.getenv("ALVYS_TOKEN")));
            System.out.printf("Recorded %s on %s, which is %s%n", reference, load, field(recorded, "Status"));
        } catch (PaymentRefused refusal) {
            System.err.println("Refused with " + refusal.getMessage());
            System.exit(1);
        } catch (NoResponse error) {
            System.err.println("Unknown whether it was recorded: " + error.getMessage());
            System.exit(2);
        }
    }
}

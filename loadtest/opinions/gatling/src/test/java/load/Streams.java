package load;

import static io.gatling.javaapi.core.CoreDsl.*;
import static io.gatling.javaapi.http.HttpDsl.*;

import io.gatling.javaapi.core.*;
import io.gatling.javaapi.http.*;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Pattern;

/** Two hundred users that watch one symbol for 40 seconds, count its ticks and see how late its trades come. */
public class Streams extends Simulation {
  static final AtomicLong ticks = new AtomicLong();
  /** In µs, from the venue's time to Gatling's, which is of whole milliseconds. */
  static final ConcurrentLinkedQueue<Long> latencies = new ConcurrentLinkedQueue<>();
  // What Gatling hands out is the event as JSON, so that quotes inside its data are escaped.
  static final Pattern TRADE = Pattern.compile("\\\\\"kind\\\\\":\\\\\"trade\\\\\".*\\\\\"trade_ts\\\\\":(\\d+)");
  HttpProtocolBuilder protocol =
      http.baseUrl("http://127.0.0.1:18080").sseUnmatchedInboundMessageBufferSize(100_000);
  ScenarioBuilder users = scenario("watch")
      .exec(sse("open").get("/v1/stream/AAAA-USDT"))
      .pause(40)
      .exec(sse.processUnmatchedMessages((messages, session) -> {
        messages.stream().filter(message -> message.message().contains("\\\"seq\\\":")).forEach(message -> {
          ticks.incrementAndGet();
          var trade = TRADE.matcher(message.message());
          if (trade.find()) latencies.add(message.timestamp() * 1000 - Long.parseLong(trade.group(1)));
        });
        return session;
      }))
      .exec(sse("close").close());

  {
    setUp(users.injectOpen(atOnceUsers(200))).protocols(protocol);
  }

  static long at(long[] sorted, double share) {
    return sorted[Math.min((int) (share * sorted.length), sorted.length - 1)];
  }

  @Override
  public void after() {
    long[] sorted = latencies.stream().mapToLong(Long::longValue).sorted().toArray();
    System.out.printf(
        "TOLD {\"ticks\": %d, \"count\": %d, \"p50\": %d, \"p90\": %d, \"p99\": %d}%n",
        ticks.get(), sorted.length, at(sorted, .5), at(sorted, .9), at(sorted, .99));
  }
}

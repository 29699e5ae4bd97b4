package load;

import static io.gatling.javaapi.core.CoreDsl.*;
import static io.gatling.javaapi.http.HttpDsl.*;

import io.gatling.javaapi.core.*;
import io.gatling.javaapi.http.*;
import java.util.concurrent.atomic.AtomicLong;

/** Two hundred users that watch one symbol for 40 seconds and count its ticks. */
public class Streams extends Simulation {
  static final AtomicLong ticks = new AtomicLong();
  HttpProtocolBuilder protocol =
      http.baseUrl("http://127.0.0.1:18080").sseUnmatchedInboundMessageBufferSize(100_000);
  ScenarioBuilder users = scenario("watch")
      .exec(sse("open").get("/v1/stream/AAAA-USDT"))
      .pause(40)
      .exec(sse.processUnmatchedMessages((messages, session) -> {
        // What Gatling hands out is the event as JSON, so that quotes inside its data are escaped.
        ticks.addAndGet(messages.stream().filter(message -> message.message().contains("\\\"seq\\\":")).count());
        return session;
      }))
      .exec(sse("close").close());

  {
    setUp(users.injectOpen(atOnceUsers(200))).protocols(protocol);
  }

  @Override
  public void after() {
    System.out.println("TICKS " + ticks.get());
  }
}

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;
import com.launchdarkly.eventsource.EventSource;
import com.launchdarkly.eventsource.MessageEvent;
import java.net.URI;

/** Prints each tick of a stream as a line: {"symbol", "seq", "data"}. */
public class Ticks {
  public static void main(String[] arguments) throws Exception {
    Gson gson = new GsonBuilder().disableHtmlEscaping().create();
    try (EventSource source = new EventSource.Builder(URI.create(arguments[0])).build()) {
      source.start();
      for (MessageEvent event : source.messages()) {
        if (!event.getEventName().equals("message")) continue;
        JsonObject tick = gson.fromJson(event.getData(), JsonObject.class);
        JsonObject line = new JsonObject();
        line.add("symbol", tick.get("symbol"));
        line.add("seq", tick.get("seq"));
        line.addProperty("data", event.getData());
        System.out.println(gson.toJson(line));
      }
    }
  }
}

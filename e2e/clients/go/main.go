// Prints each tick of a stream as a line: {"symbol", "seq", "data"}.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"

	"github.com/tmaxmax/go-sse"
)

type line struct {
	Symbol string `json:"symbol"`
	Seq    uint64 `json:"seq"`
	Data   string `json:"data"`
}

func main() {
	request, err := http.NewRequest(http.MethodGet, os.Args[1], http.NoBody)
	if err != nil {
		log.Fatal(err)
	}
	lines := json.NewEncoder(os.Stdout)
	lines.SetEscapeHTML(false)
	connection := sse.NewConnection(request)
	connection.SubscribeMessages(func(event sse.Event) {
		tick := line{Data: event.Data}
		if err := json.Unmarshal([]byte(event.Data), &tick); err != nil {
			log.Fatal(err)
		}
		if err := lines.Encode(tick); err != nil {
			log.Fatal(err)
		}
	})
	log.Fatal(connection.Connect())
}

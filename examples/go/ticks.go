// go mod init ticks && go get github.com/tmaxmax/go-sse && go run ticks.go
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/tmaxmax/go-sse"
)

// Pointers, since an unknown field is left out, and missing is not zero. json.Number keeps every digit.
type tick struct {
	Symbol, State   string
	Price, Bid, Ask *json.Number
}

func main() {
	request, _ := http.NewRequest(http.MethodGet, "http://127.0.0.1:8080/v1/stream?symbols=AAPL,BTC-USDT", http.NoBody)
	client := &sse.Client{Backoff: sse.Backoff{MaxInterval: 16 * time.Second}} // it grows without a limit otherwise
	connection := client.NewConnection(request) // it reconnects by itself, with the last id
	wait := time.Second
	connection.SubscribeEvent("hello", func(sse.Event) { wait = time.Second })
	connection.SubscribeMessages(func(event sse.Event) {
		var t tick
		if err := json.Unmarshal([]byte(event.Data), &t); err != nil {
			log.Fatal(err)
		}
		show := func(number *json.Number) string {
			if number == nil {
				return "-"
			}
			return number.String()
		}
		fmt.Println(t.Symbol, show(t.Price), show(t.Bid), show(t.Ask), t.State)
	})
	for {
		log.Print(connection.Connect(), "; reconnecting") // it has given up, as it does on a proxy's 502
		time.Sleep(wait + rand.N(wait))
		wait = min(2*wait, 16*time.Second)
	}
}

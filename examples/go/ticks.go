// go mod init ticks && go get github.com/tmaxmax/go-sse && go run ticks.go
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"

	"github.com/tmaxmax/go-sse"
)

// Pointers, since an unknown field is left out, and missing is not zero. json.Number keeps every digit.
type tick struct {
	Symbol, State   string
	Price, Bid, Ask *json.Number
}

func main() {
	request, _ := http.NewRequest(http.MethodGet, "http://127.0.0.1:8080/v1/stream?symbols=AAPL,BTC-USDT", http.NoBody)
	connection := sse.NewConnection(request) // it reconnects by itself, with the last id
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
	log.Fatal(connection.Connect())
}

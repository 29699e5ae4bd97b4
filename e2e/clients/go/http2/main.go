// Asks for an answer and for a stream over HTTP/2: prints {"http", "status", "quotes"} of the answer, and each tick of
// the stream as a line: {"symbol", "seq", "data"}. It ends with the stream.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strings"
)

type answer struct {
	HTTP   string `json:"http"`
	Status int    `json:"status"`
	Quotes int    `json:"quotes"`
}

type line struct {
	Symbol string `json:"symbol"`
	Seq    uint64 `json:"seq"`
	Data   string `json:"data"`
}

func get(url string) *http.Response {
	response, err := http.Get(url)
	if err != nil {
		log.Fatal(err)
	}
	return response
}

func main() {
	lines := json.NewEncoder(os.Stdout)
	lines.SetEscapeHTML(false)
	write := func(value any) {
		if err := lines.Encode(value); err != nil {
			log.Fatal(err)
		}
	}

	whole := get(os.Args[1])
	var body struct{ Quotes []json.RawMessage }
	if err := json.NewDecoder(whole.Body).Decode(&body); err != nil {
		log.Fatal(err)
	}
	write(answer{strings.TrimSuffix(strings.TrimPrefix(whole.Proto, "HTTP/"), ".0"), whole.StatusCode, len(body.Quotes)})

	texts := bufio.NewScanner(get(os.Args[2]).Body)
	for event := ""; texts.Scan(); {
		if name, found := strings.CutPrefix(texts.Text(), "event: "); found {
			event = name
		} else if data, found := strings.CutPrefix(texts.Text(), "data: "); found && event == "" {
			tick := line{Data: data}
			if err := json.Unmarshal([]byte(data), &tick); err != nil {
				log.Fatal(err)
			}
			write(tick)
		} else if texts.Text() == "" {
			event = ""
		}
	}
	if err := texts.Err(); err != nil {
		log.Fatal(err)
	}
}

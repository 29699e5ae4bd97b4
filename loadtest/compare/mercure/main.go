// Command compare-mercure serves a Mercure hub through net/http, the standalone way that the library documents: anonymous
// subscribers, publishers with a JWT, the in-memory transport, and neither metrics nor an access log.
//
// LISTEN is the address for clients, JWT_KEY the publishers' HS256 key.
package main

import (
	"context"
	"log"
	"log/slog"
	"net/http"
	"os"

	"github.com/dunglas/mercure"
)

func main() {
	hub, err := mercure.NewHub(
		context.Background(),
		mercure.WithAnonymous(),
		mercure.WithPublisherJWT([]byte(os.Getenv("JWT_KEY")), "HS256"),
		mercure.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))),
	)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(os.Getenv("LISTEN"), hub))
}

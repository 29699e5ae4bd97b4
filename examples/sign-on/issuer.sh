#!/bin/sh
# Plays the issuer of tokens with openssl: a key set for the gateway, and tokens for its clients.
#
#   issuer.sh keys FOLDER                            makes key.pem, which signs, and keys.json, which the gateway reads
#   issuer.sh token FOLDER SUBJECT SECONDS RIGHTS    prints a token
#
#   issuer.sh token . u17 600 '{"live":["@us","BTC-*"],"streams":8,"rate":10}'
set -eu

encode() { basenc --base64url --wrap=0 | tr -d =; }

case "$1" in
keys)
  umask 077 # who can read key.pem can sign any token
  openssl genrsa -out "$2/key.pem" 2048 2>/dev/null
  n=$(openssl rsa -in "$2/key.pem" -noout -modulus | cut -d= -f2 | basenc --base16 --decode | encode)
  kid=$(printf '%s' "$n" | openssl dgst -sha256 -binary | encode | cut -c 1-16) # another key has another name
  printf '{"keys":[{"kty":"RSA","use":"sig","alg":"RS256","kid":"%s","n":"%s","e":"AQAB"}]}\n' \
    "$kid" "$n" >"$2/keys.json"
  chmod a+r "$2/keys.json"
  ;;
token)
  kid=$(sed 's/.*"kid":"\([^"]*\)".*/\1/' "$2/keys.json")
  head=$(printf '{"alg":"RS256","typ":"JWT","kid":"%s"}' "$kid" | encode)
  body=$(printf '{"iss":"https://login.example.com","aud":"tickfan","sub":"%s","exp":%d,"tickfan":%s}' \
    "$3" "$(($(date +%s) + $4))" "$5" | encode)
  signature=$(printf '%s.%s' "$head" "$body" | openssl dgst -sha256 -sign "$2/key.pem" -binary | encode)
  printf '%s.%s.%s\n' "$head" "$body" "$signature"
  ;;
*)
  sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
  exit 64
  ;;
esac

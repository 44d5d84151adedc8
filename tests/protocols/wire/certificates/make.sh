#!/bin/sh
# Makes the certificates of websocket-security.test.ts, valid for a hundred years: for tests alone, their keys are public.
#     cd tests/protocols/wire/certificates && sh make.sh        (made with OpenSSL 3.0.19)
set -e
authority() { # name
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -subj "/CN=weir test $1" \
    -keyout "$1.key" -out "$1.pem" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
}
signed() { # name, authority, subject alternative names
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=weir test $1" -keyout "$1.key" -out "$1.csr"
  printf 'subjectAltName=%s\nbasicConstraints=CA:FALSE\n' "$3" > "$1.ext"
  openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -days 36500 -extfile "$1.ext" -out "$1.pem"
  rm "$1.csr" "$1.ext"
}
authority authority
authority another-authority
signed localhost authority DNS:localhost,IP:127.0.0.1
signed elsewhere authority DNS:elsewhere.example
signed impostor another-authority DNS:localhost,IP:127.0.0.1
rm -f authority.key another-authority.key ./*.srl

# PostgreSQL. Sourced by install.sh and be.sh.
packages="postgresql" account=postgres service=postgresql@15-main.service port=5432

configure() {
  printf "listen_addresses = '*'\n" >/etc/postgresql/15/main/conf.d/backend.conf
  printf 'host all all all scram-sha-256\n' >>/etc/postgresql/15/main/pg_hba.conf
}

use() {
  if [ "$1" = plain ]; then
    printf 'ssl = off\n'
  else
    printf "ssl = on\nssl_cert_file = '/etc/backend/%s.pem'\nssl_key_file = '/etc/backend/%s.key'\n" "$1" "$1"
  fi >/etc/postgresql/15/main/conf.d/tls.conf
}

make_user() {
  printf "CREATE USER shop PASSWORD '%s';\nCREATE DATABASE shop OWNER shop;\n" "$PASSWORD" | runuser --user postgres -- psql --set ON_ERROR_STOP=1
}

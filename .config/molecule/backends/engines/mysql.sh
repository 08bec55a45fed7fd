# MariaDB. Sourced by install.sh and be.sh.
packages="mariadb-server" account=mysql service=mariadb.service port=3306

configure() { printf '[mariadbd]\nbind-address = 0.0.0.0\n' >/etc/mysql/mariadb.conf.d/90-backend.cnf; }

use() {
  if [ "$1" = plain ]; then
    printf '[mariadbd]\nskip-ssl\n'
  else
    printf '[mariadbd]\nssl-cert = /etc/backend/%s.pem\nssl-key = /etc/backend/%s.key\n' "$1" "$1"
  fi >/etc/mysql/mariadb.conf.d/91-tls.cnf
}

make_user() {
  mariadb --execute "CREATE DATABASE shop; CREATE USER shop IDENTIFIED BY '$PASSWORD'; GRANT ALL ON shop.* TO shop;"
}

#!/bin/sh
# Starts RabbitMQ with two users that cannot see each other: `live` owns the vhost live, `backtest` the vhost
# backtest. Their passwords come from the environment, so they are written into the definitions here and not
# kept in a file of the repository. With definitions loaded, RabbitMQ creates no guest user.
set -eu

definitions=/var/lib/rabbitmq/definitions.json

for password in "$LIVE_PASSWORD" "$BACKTEST_PASSWORD"; do
    case $password in
        '' | *[!A-Za-z0-9._~-]*)
            echo "a password must be made of letters, digits and . _ ~ - (it becomes part of a URL)" >&2
            exit 1
            ;;
    esac
done

user() { # user NAME PASSWORD
    printf '{"name": "%s", "password": "%s", "tags": ["management"]}' "$1" "$2"
}

permission() { # permission USER: everything in the vhost of the same name, nothing elsewhere
    printf '{"user": "%s", "vhost": "%s", "configure": ".*", "write": ".*", "read": ".*"}' "$1" "$1"
}

umask 077
cat >"$definitions" <<JSON
{
  "vhosts": [{"name": "live"}, {"name": "backtest"}],
  "users": [$(user live "$LIVE_PASSWORD"), $(user backtest "$BACKTEST_PASSWORD")],
  "permissions": [$(permission live), $(permission backtest)]
}
JSON

# The image's own entrypoint hands the files to the user rabbitmq and drops root.
if command -v docker-entrypoint.sh >/dev/null; then
    exec docker-entrypoint.sh rabbitmq-server
fi
PATH=/usr/lib/rabbitmq/bin:$PATH # an image of Debian's package: its wrapper in /usr/sbin would swallow SIGTERM
exec rabbitmq-server

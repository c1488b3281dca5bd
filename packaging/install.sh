#!/bin/sh
# Installs sluice from this folder, after it has looked whether this machine can run it:
# ./install.sh [--prefix DIR] (/usr/local), ./install.sh --check, ./install.sh --remove [--prefix DIR].
set -eu
cd "$(dirname "$0")"
# Written by script/package: the machine and the oldest glibc that the program runs on.
machine=@MACHINE@
glibc=@GLIBC@

prefix=/usr/local
what=install
while [ $# -gt 0 ]; do
    case $1 in
        --prefix)
            [ $# -gt 1 ] || { echo "install.sh: --prefix needs a folder" >&2; exit 2; }
            prefix=$2
            shift
            ;;
        --check) what=check ;;
        --remove) what=remove ;;
        *)
            echo "usage: ./install.sh [--check|--remove] [--prefix DIR]; there is no '$1'" >&2
            exit 2
            ;;
    esac
    shift
done

# Each file of the tar that is installed, by its name below the prefix; and where it is noted which
# folders were made for them.
files() { find bin share -type f; }
made=$prefix/share/doc/sluice/made-folders

if [ "$what" = remove ]; then
    folders=$(sort -r "$made" 2>/dev/null) || folders=
    { files | sed "s|^|$prefix/|" && echo "$made"; } | while read -r file; do rm -f "$file"; done
    # One in which others have put something stays.
    echo "$folders" | while read -r folder; do rmdir "$prefix/$folder" 2>/dev/null || true; done
    echo "removed from $prefix"
    exit 0
fi

missing() {
    echo "install.sh: sluice cannot run here: $1" >&2
    exit 1
}
[ "$(uname -s)" = Linux ] || missing "this is $(uname -s); it needs Linux."
[ "$(uname -m)" = "$machine" ] ||
    missing "this machine is $(uname -m), and this tar is for $machine; build it from source."
here=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed -n 's/^glibc //p')
[ -n "$here" ] || missing "there is no glibc (musl, as on Alpine, is another C library); \
run it in a container of Debian, or build it from source."
oldest=$(printf '%s\n%s\n' "$here" "$glibc" | sort -t . -k 1,1n -k 2,2n | head -n 1)
[ "$oldest" = "$glibc" ] || missing "glibc is $here, and it needs $glibc or newer (Debian 12, \
Ubuntu 24.04, RHEL 10 and newer have it); build it from source."
./bin/sluice --version >/dev/null || missing "bin/sluice does not start, see above."
if [ "$what" = check ]; then
    echo "sluice runs here; ./bin/sluice doctor says what the kernel offers it"
    exit 0
fi

mkdir -p "$prefix"
new=$(find bin share -type d | while read -r folder; do
    [ -d "$prefix/$folder" ] || { mkdir -p "$prefix/$folder" && echo "$folder"; }
done)
[ -z "$new" ] || echo "$new" >>"$made"
files | while read -r file; do
    # Beside it, and in its place at once: one that is running goes on with what it has.
    cp "$file" "$prefix/$file.new"
    mv -f "$prefix/$file.new" "$prefix/$file"
done
echo "installed in $prefix; sluice doctor says what the kernel offers it"

# shellcheck shell=bash
# What comes from elsewhere: packages of this machine's release, installed; packages of Debian sid, unpacked in the cache.

# Packages whose commands are missing.
MISSING=()
need() { # COMMAND PACKAGE
    command -v "$1" >/dev/null || [[ " ${MISSING[*]} " == *" $2 "* ]] || MISSING+=("$2")
}

install_missing() {
    ((${#MISSING[@]})) || return 0
    command -v apt-get >/dev/null || die "these are missing, and there is no apt-get to install them with: ${MISSING[*]}"
    ((EUID == 0)) || die "these are missing: ${MISSING[*]}; as root: apt-get install --no-install-recommends ${MISSING[*]}"
    say "installing ${MISSING[*]}"
    local log=$STACK_DIR/packages.log
    forbid_services
    # Lists may be missing or old: then the first attempt fails, and is worth no word.
    apt_install "${MISSING[@]}" >>"$log" 2>&1 ||
        { quietly "$log" apt-get -o DPkg::Lock::Timeout=300 update && quietly "$log" apt_install "${MISSING[@]}"; } ||
        die "cannot install ${MISSING[*]}"
    allow_services
    MISSING=()
}

apt_install() {
    # dpkg would hand its descriptors on, and the scripts of packages rely on the usual mask.
    (
        close_descriptors
        umask 022
        DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
            install --no-install-recommends "$@" </dev/null
    )
}

# Debian starts a service as soon as it is installed, unless this file says no.
POLICY=/usr/sbin/policy-rc.d
POLICY_MARK='# Written by tests/stack/up for the time of one installation.'
forbid_services() {
    [[ ! -e $POLICY ]] || return 0
    printf '#!/bin/sh\n%s\nexit 101\n' "$POLICY_MARK" >"$POLICY"
    chmod +x "$POLICY"
}
allow_services() {
    if ((EUID == 0)) && grep -qsF "$POLICY_MARK" "$POLICY"; then rm -f "$POLICY"; fi
}

# Runs a function that fills a directory, and keeps that under its name in the cache when it is complete.
# To be called with the cache locked.
fetch() { # NAME FUNCTION
    local work
    work=$(mktemp -d "$STACK_CACHE/tmp.XXXXXX")
    if "$2" "$work"; then
        mv -T "$work/out" "$STACK_CACHE/$1"
        rm -rf "$work"
    else
        rm -rf "$work"
        return 1
    fi
}

is_fetched() { [[ -d $STACK_CACHE/$1 ]]; } # NAME

# Several stacks may share a cache. What a killed `up` left half done goes.
CACHE_LOCK=''
lock_cache() {
    mkdir -p "$STACK_CACHE" || die "cannot make $STACK_CACHE; set OMS_STACK_CACHE to another path"
    exec {CACHE_LOCK}>>"$STACK_CACHE/lock"
    flock -n "$CACHE_LOCK" || { say "waiting for another download into $STACK_CACHE" && flock "$CACHE_LOCK"; }
    rm -rf "$STACK_CACHE"/tmp.*
}
unlock_cache() {
    [[ $CACHE_LOCK ]] || return 0
    rm -rf "$STACK_CACHE"/tmp.*
    exec {CACHE_LOCK}>&-
    CACHE_LOCK=''
}

# Unpacks a package of Debian sid, with all it depends on, into WORK/out. apt itself downloads and verifies, with the machine's own
# mirrors, proxies, methods and credentials, but with lists, status and cache of its own: to the machine nothing happens.
# sid has its own libc; programs are run by sid's loader (see `sid_program`), which needs neither root nor chroot.
unpack_from_sid() { # WORK PACKAGE
    local work=$1 package=$2 sources deb
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
    mkdir -p "$work"/{candidates,sources,out} "$work"/state/lists/partial "$work"/cache/archives/partial
    : >"$work/status"
    sid_sources "$work/candidates"
    private_apt_conf "$work" >"$work/apt.conf"
    for sources in "$work"/candidates/*; do
        [[ -e $sources ]] || continue
        rm -rf "$work"/sources/*
        cp "$sources" "$work/sources/"
        apt-get -c "$work/apt.conf" update || true
        apt-get -c "$work/apt.conf" -y --no-install-recommends --download-only install "$package" || continue
        # sid has everything in /usr.
        mkdir -p "$work"/out/usr/{lib,lib64,bin,sbin}
        ln -s usr/lib usr/lib64 usr/bin usr/sbin "$work/out/"
        for deb in "$work"/cache/archives/*.deb; do
            dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$work/out" --no-same-owner --keep-directory-symlink \
                --exclude=./usr/share/doc --exclude=./usr/share/man --exclude=./usr/share/locale || return 1
        done
        return 0
    done
    echo "no source of apt's that is set up here has $package in sid"
    return 1
}

private_apt_conf() { # WORK
    cat <<END
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::State "$1/state";
Dir::State::status "$1/status";
Dir::Cache "$1/cache";
Dir::Log "$1";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$1/sources";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Sandbox::User "root";
APT::Default-Release "sid";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
END
}

# The machine's sources of packages, each in a file, turned to sid with all their options kept. Not those of updates or security.
sid_sources() { # DIR
    local list='' parts='' lists stanzas
    eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
    mapfile -t lists < <(existing "$list" "$parts"*.list)
    mapfile -t stanzas < <(existing "$parts"*.sources)
    awk -v out="$1" '
        $1 == "deb" {
            line = $0; options = ""
            sub(/^[ \t]*deb[ \t]+/, "", line)
            if (line ~ /^\[/) {
                options = substr(line, 2, index(line, "]") - 2)
                line = substr(line, index(line, "]") + 1)
            }
            sub(/#.*/, "", line)
            fields = split(line, field, " ")
            if (field[1] ~ /^cdrom:/ || field[2] ~ /[-\/]/) next
            for (i = 3; i <= fields; i++) if (field[i] == "main") {
                file = sprintf("%s/%03d.list", out, ++files)
                print "deb [" options " target=Packages] " field[1] " sid main" >file
                close(file)
            }
        }' /dev/null "${lists[@]}"
    awk -v out="$1" '
        BEGIN { RS = ""; FS = "\n" }
        {
            kept = name = ""
            split("", value)
            for (i = 1; i <= NF; i++) {
                if ($i ~ /^#/) continue
                text = $i
                if (text !~ /^[ \t]/) {
                    name = tolower(text)
                    sub(/[ \t]*:.*/, "", name)
                    sub(/^[^:]*:/, "", text)
                }
                value[name] = value[name] " " text
                if (name !~ /^(types|suites|components|targets|enabled)$/) kept = kept $i "\n"
            }
            suites = " " value["suites"] " "; gsub(/[ \t]+/, "  ", suites)
            if (value["enabled"] ~ /no|false|off|0/) next
            if (value["types"] " " !~ /[ \t]deb[ \t]/ || value["components"] " " !~ /[ \t]main[ \t]/) next
            if (suites !~ / [^-\/ ]+ /) next
            file = sprintf("%s/%03d.sources", out, ++files)
            print kept "Types: deb\nSuites: sid\nComponents: main\nTargets: Packages" >file
            close(file)
        }' /dev/null "${stanzas[@]}"
}

existing() { # FILE...
    local file
    for file in "$@"; do if [[ -f $file ]]; then printf '%s\n' "$file"; fi; done
}

# Sets PROGRAM to the command that runs a program of an unpacked sid.
sid_program() { # ROOT PATH
    local loader libraries
    loader=$(echo "$1"/usr/lib*/ld-linux*.so.*)
    libraries=$(echo "$1"/usr/lib/*-linux-gnu*)
    # shellcheck disable=SC2034
    PROGRAM=("${loader%% *}" --library-path "${libraries%% *}" "$1/$2")
}

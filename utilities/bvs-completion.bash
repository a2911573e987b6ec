# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Completion of bvs-vsctl's and bvs-appctl's command lines for bash.  What
# there is to complete comes from the programs themselves: --commands and
# --options of bvs-vsctl (each argument by its name: BRIDGE, PORT, TABLE...),
# list-commands of the running daemon.

# Names for the argument called $1 ("!BRIDGE", "?PORT", "*COLUMN..."), with
# the command's earlier arguments after it.
_bvs_vsctl_names() {
    case ${1#[?*+!]} in
    BRIDGE) bvs-vsctl -t 2 list-br ;;
    PORT | BOND | 'PORT|IFACE')
        bvs-vsctl -t 2 --bare --columns=name list Port ;;
    IFACE) bvs-vsctl -t 2 --bare --columns=name list Interface ;;
    TABLE) ovsdb-client -t 2 --no-headings list-tables ;;
    RECORD) bvs-vsctl -t 2 --bare --columns=name list "$2" ||
        bvs-vsctl -t 2 --bare --columns=_uuid list "$2" ;;
    COLUMN*) ovsdb-client -t 2 --no-headings list-columns Open_vSwitch "$2" |
        awk '{ print $1 }' ;;
    MODE) echo standalone secure ;;
    esac 2>/dev/null
}

_bvs_vsctl() {
    local word=${COMP_WORDS[COMP_CWORD]} syntax names='' i
    local -a words=() args

    # The command that the cursor is in, without its options.
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --) words=() ;;
        -*) ;;
        =) i=$((i + 1)) ;;
        *) words+=("${COMP_WORDS[i]}") ;;
        esac
    done
    if ((!${#words[@]})); then
        names=$(bvs-vsctl --commands | sed 's/^.*,\(.*\),.*$/\1/')
        [[ $word != -* ]] || names=$(
            bvs-vsctl --options | sed 's/ ARG$//; s/=ARG$/=/'
            bvs-vsctl --commands | sed 's/,.*//; s/[][]//g')
    else
        syntax=$(bvs-vsctl --commands | sed -n "s/^.*,${words[0]},//p")
        read -ra args <<<"$syntax"
        # The last argument of a command may stand for many.
        i=$((${#words[@]} - 1))
        ((i < ${#args[@]})) || i=$((${#args[@]} - 1))
        ((i < 0)) || names=$(_bvs_vsctl_names "${args[i]}" "${words[1]:-}")
        names+=' --'
    fi
    mapfile -t COMPREPLY < <(compgen -W "$names" -- "$word" | sort -u)
}

_bvs_appctl() {
    local word=${COMP_WORDS[COMP_CWORD]} names

    if ((COMP_CWORD == 1)); then
        names=$(bvs-appctl -T 2 list-commands 2>/dev/null |
            sed -n 's/^  *\([^ ]*\).*/\1/p')
    else
        names=$(bvs-vsctl -t 2 list-br 2>/dev/null)
    fi
    mapfile -t COMPREPLY < <(compgen -W "$names" -- "$word")
}

complete -F _bvs_vsctl bvs-vsctl
complete -F _bvs_appctl bvs-appctl

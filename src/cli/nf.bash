# Completion of nf for bash: commands, then flags, which the command itself lists, and files.
_nf() {
  local word=${COMP_WORDS[COMP_CWORD]} path=() i
  for ((i = 1; i < COMP_CWORD; ++i)); do
    [[ ${COMP_WORDS[i]} == [a-z]* ]] || break
    path+=("${COMP_WORDS[i]}")
    # nf plot has commands of its own; others have files after their name.
    [[ ${path[0]} == plot ]] && ((${#path[@]} < 2)) || break
  done
  local help
  if [[ $word == -* ]]; then
    help=$("${COMP_WORDS[0]}" "${path[@]}" --help 2>/dev/null)
    COMPREPLY=($(compgen -W "$(grep -oE -- '--[a-z][a-z0-9-]*' <<<"$help" | sort -u)" -- "$word"))
  elif ((COMP_CWORD == 1)) || [[ ${path[0]-} == plot && COMP_CWORD -eq 2 ]]; then
    help=$("${COMP_WORDS[0]}" "${path[@]:0:COMP_CWORD-1}" --help 2>/dev/null)
    COMPREPLY=($(compgen -W "$(sed -n '/^Subcommands:/,/^[^ S]/s/^  \([a-z][a-z-]*\)[ ,].*/\1/p' <<<"$help")" -- "$word"))
  fi
  [[ ${#COMPREPLY[@]} -gt 0 ]] || COMPREPLY=($(compgen -f -- "$word"))
}
complete -o filenames -o bashdefault -F _nf nf

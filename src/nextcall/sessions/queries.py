"""Sessions turned into queries for the next call, and back."""

from collections.abc import Iterable, Sequence

from nextcall.sessions.call import Call, Query, Session, calls_of


def next_call_queries(sessions: Iterable[Session], *, source: str = "") -> list[Query]:
    """Ask for every call of every session.

    The prompt of a query is that of its call, or the last one before it where the call has none:
    never a later one, which a ranker could not have known. The prompts before it, each once, are
    its context.

    Returns
    -------
    list of Query
        One a call, in the order of the sessions and their calls.

    Examples
    --------
    >>> calls = (Call(operation_id="list", prompt="Show all"), Call(operation_id="get"))
    >>> queries = next_call_queries([Session(session_id="s", user_id="u", calls=calls)])
    >>> [(query.prompt, query.relevant, len(query.history)) for query in queries]
    [('Show all', ('list',), 0), ('Show all', ('get',), 1)]
    """
    return [query for session in sessions for query in _queries(session, source)]


def observed_sessions(queries: Sequence[Query]) -> list[Session]:
    """Put the sessions together that next-call queries were cut from.

    A session is the longest run of calls that one of its queries shows: its history with the calls
    that remained, or with its one right answer where that is not known. Each call has the prompt
    of the query that asks for it. Retrieval queries, and queries without a session, show no order
    of calls and are passed over. A session's user is not known: it is its own.

    Returns
    -------
    list of Session
        In the order of their first query.
    """
    runs: dict[str, tuple[Call, ...]] = {}
    prompts: dict[tuple[str, int], str] = {}
    for query in queries:
        if query.task != "next_call" or not query.session_id:
            continue
        run = query.history + calls_of(query.remaining or query.relevant[:1])
        if len(run) > len(runs.setdefault(query.session_id, ())):
            runs[query.session_id] = run
        prompts[query.session_id, len(query.history)] = query.prompt
    return [
        Session(
            session_id=session_id,
            user_id=session_id,
            calls=tuple(
                Call(
                    operation_id=call.operation_id,
                    time=call.time,
                    outcome=call.outcome,
                    prompt=call.prompt or prompts.get((session_id, step), ""),
                )
                for step, call in enumerate(run)
            ),
        )
        for session_id, run in runs.items()
        if run
    ]


def session_groups(queries: Sequence[Query]) -> list[str]:
    """Name the session of each query; one without a session stands alone.

    Examples
    --------
    >>> own = [Query(query_id=name, prompt="", session_id="s") for name in "ab"]
    >>> groups = session_groups([*own, Query(query_id="c", prompt="")])
    >>> groups[0] == groups[1] != groups[2]
    True
    """
    return [query.session_id or f"\0{query.query_id}" for query in queries]


def _queries(session: Session, source: str) -> list[Query]:
    operation_ids = tuple(call.operation_id for call in session.calls)
    turns: list[str] = []
    queries = []
    for step, call in enumerate(session.calls):
        if call.prompt and call.prompt not in turns[-1:]:
            turns.append(call.prompt)
        prompt = turns[-1] if turns else ""
        queries.append(
            Query(
                query_id=f"{session.session_id}#{step}",
                prompt=prompt,
                history=session.calls[:step],
                relevant=(call.operation_id,),
                task="next_call",
                source=source,
                session_id=session.session_id,
                step=step,
                remaining=operation_ids[step:],
                context=tuple(turn for turn in dict.fromkeys(turns[:-1]) if turn != prompt),
            )
        )
    return queries

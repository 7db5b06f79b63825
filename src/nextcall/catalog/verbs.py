"""Verbs of operation names, and the action that each stands for."""

from typing import Final

ACTIONS: Final = (
    "create", "read", "list", "search", "update", "delete",
    "attach", "detach", "start", "stop", "send", "other",
)  # fmt: skip
"""Every action there is, in the order of their codes; what fits nowhere else is ``other``."""

_VERBS_OF_ACTION: Final = {
    "create": """
        add allocate append book build buy clone compose copy cp create define donate draft draw
        duplicate enroll fork generate hire import initialize insert issue make mkdir open order
        place plot post prepare provision purchase record register rent request reserve upload
        write
        """,
    "read": """
        analyze assess calc calculate cat check classify compare compute convert count decode
        decrypt describe detect determine diff display divide download encode encrypt estimate
        evaluate explain export extract fetch forecast format get give has head identify infer
        inspect interpret is load lookup measure monitor multiply obtain parse peek poll predict
        preview provide read recognize render retrieve return round show simulate solve subtract
        summarize test track transcribe translate validate verify view
        """,
    "list": "batchget browse enumerate index list ls paginate scan",
    "search": "discover filter find grep locate match query recommend search select suggest",
    "update": """
        adjust apply calibrate change configure control customize decrease edit exchange fund
        improve increase manage merge migrate modify move mv normalize optimize organize patch
        promote put rebuild refresh rename renew replace reset resize resolve restore rollback
        rotate save scale set sort swap sync toggle transfer update upgrade upsert withdraw
        """,
    "delete": """
        abort archive cancel clear decline delete deregister destroy discard drop empty erase
        expire forget purge reject release remove revoke rm rmdir terminate uninstall unregister
        """,
    "attach": """
        accept activate allow approve assign associate attach authorize bind connect enable follow
        grant include install invite join link lock mount pin share star subscribe tag
        """,
    "detach": """
        block deactivate deny detach disable disassociate disconnect exclude exit leave suspend
        unassign unbind unblock unfollow unlink unlock unmount unpin unshare unstar unsubscribe
        unsuspend untag untrack
        """,
    "start": """
        authenticate begin boot commit complete conduct confirm deploy enter execute failover
        finalize initiate invoke launch login perform play process reboot restart resume retry run
        schedule start submit train trigger
        """,
    "stop": "close drain end finish halt hibernate kill logout pause quiesce shutdown stop",
    "send": """
        announce broadcast comment contact dispatch email emit forward message notify publish push
        reply report resend send signal
        """,
}
VERBS: Final = {
    verb: action for action, verbs in _VERBS_OF_ACTION.items() for verb in verbs.split()
}
"""Action of each verb."""

_CLEAR_VERBS: Final = """
    add append approve assign associate attach browse calculate cancel compute configure convert
    create deactivate delete deregister describe detach disable disassociate download edit enable
    enumerate execute fetch find generate get insert install list modify move notify publish
    purchase remove rename replace reserve retrieve search send show subscribe uninstall
    unsubscribe update upload validate verify
    """
CLEAR_VERBS: Final = frozenset(_CLEAR_VERBS.split())
"""Verbs that are hardly ever nouns: they count wherever in a name they stand."""

QUALIFIERS: Final = frozenset({"admin", "async", "batch", "bulk", "force", "multi", "please"})
"""Words that may stand before the verb."""

PREPOSITIONS: Final = frozenset(
    {
        *("as", "at", "by", "for", "from", "in", "into", "of", "on"),
        *("through", "to", "using", "via", "with"),
    }
)
"""Words that end what a verb works on."""


def verb_action(word: str) -> str | None:
    """Give the action that a verb stands for, or None for a word that is no known verb.

    Examples
    --------
    >>> [verb_action(word) for word in ("describe", "terminates", "applies", "bucket")]
    ['read', 'delete', 'update', None]
    """
    if (action := VERBS.get(word)) is not None or not word.endswith("s"):
        return action
    return VERBS.get(word[:-1]) or VERBS.get(word[:-2]) or VERBS.get(word[:-3] + "y")

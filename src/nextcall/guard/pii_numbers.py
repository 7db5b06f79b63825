"""Numbers that name people and accounts: which of them are what they look like."""

import re
from typing import Final

NUMBER: Final = re.compile(r"\d(?:[ ().\-/+\u00a0]{0,3}[\dA-Z]){6}")
"""What every number below has; most texts have none."""

CARD: Final = re.compile(r"(?<![\w.+-])\d(?:[ -]?\d){11,18}(?![\w-]|\.\d)")
SSN: Final = re.compile(r"(?<![\w.+-])\d{3}([- ]?)\d{2}\1\d{4}(?![\w-]|\.\d)")
IBAN: Final = re.compile(r"(?<!\w)[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}(?!\w)")
PHONE: Final = re.compile(
    r"(?<![\w@/.:=#$€£-])(?:\+|00)?\(?\+?\d"
    r"(?:[ \u00a0]?[().\-/]{0,2}[ \u00a0]?\d){5,15}"
    r"(?![\w@%€$£]|[./:]\d|-\d)"
)

# Countries and how many characters an IBAN has there (ISO 13616 registry).
_IBANS: Final = (
    "NO15 BE16 DK18 FI18 FO18 GL18 NL18 SD18 MK19 SI19 AT20 BA20 EE20 KZ20 LT20 LU20 "
    "XK20 CH21 HR21 LI21 LV21 BG22 BH22 CR22 DE22 GB22 GE22 IE22 ME22 RS22 VA22 AE23 "
    "GI23 IL23 IQ23 OM23 SO23 TL23 AD24 CZ24 ES24 MD24 PK24 RO24 SA24 SE24 SK24 TN24 "
    "VG24 LY25 PT25 ST25 IS26 TR26 BI27 DJ27 FR27 GR27 IT27 MC27 MR27 SM27 AL28 AZ28 "
    "BY28 CY28 DO28 GT28 HU28 LB28 NI28 PL28 SV28 BR29 EG29 PS29 QA29 UA29 JO30 KW30 "
    "MU30 MT31 SC31 LC32 RU33"
)
_IBAN_LENGTHS: Final = {pair[:2]: int(pair[2:]) for pair in _IBANS.split()}
_CARD_WORD: Final = re.compile(
    r"(?i)card|visa|amex|express|diners|discover|maestro|jcb|cvv|cvc|credit|debit"
    r"|kart|tarjeta|carte|carta|cartão|karta|карт|卡|カード|카드"
)
_SSN_WORD: Final = re.compile(r"(?i)\bssn\b|social|security|tax ?id|\btin\b")
_PHONE_WORD: Final = re.compile(
    r"(?i)phone|\bcall|\btel\b|\btel[.:]|telef|téléph|teléf|mobile|móvil|mobil|\bcell|\bfax"
    r"|whats|\bsms|text me|contact"
    r"|number|reach|\bdial|\bring\b|\bhandy|office|hotline|landline|\bph\b|\bmob\b|nummer"
    r"|numero|número|numéro"
    r"|celular|cellulare|llama|appel|anruf|rufen?\b|bel\b|ligue|zadzwo|звон|тел|номер"
    r"|电话|電話|手机|携帯|전화"
)
_OTHER_WORD: Final = re.compile(
    r"(?i)(?:order|invoice|ticket|\bid|ids|isbn|code|version|item|product|sku|tracking|flight"
    r"|reference|ref|zip"
    r"|postal|port|account|serial|case|issue|build|price|amount|total|coordinates?|latitude"
    r"|longitude|between|from"
    r"|date|year|box|psc|unit|apt\.?|suite|street|key)\W{0,3}(?:no\.?|number|nr\.?|#|is|:"
    r"|=)?\W{0,4}$"
)
_DATE: Final = re.compile(
    r"(?:19|20)\d\d[-./ ](?:0?[1-9]|1[0-2])[-./ ](?:0?[1-9]|[12]\d|3[01])\b"
    r"|(?:0?[1-9]|[12]\d|3[01])[-./ ](?:0?[1-9]|[12]\d|3[01])[-./ ](?:19|20)?\d\d$"
    r"|(?:19|20)\d\d ?[-\u2013/] ?(?:19|20)\d\d$"
)
_ADDRESS: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_BEFORE: Final = 45  # characters that may say what a number is
_AFTER: Final = 14


def luhn(digits: str) -> bool:
    """Tell whether the last digit of a number is right by Luhn's rule.

    Examples
    --------
    >>> luhn("4111111111111111"), luhn("4111111111111112")
    (True, False)
    """
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0


def is_card(text: str, start: int, end: int) -> bool:
    """Tell whether the number between `start` and `end` is one of a payment card."""
    groups = re.findall(r"\d+", text[start:end])
    digits = "".join(groups)
    sizes = [len(group) for group in groups]
    usual = set(sizes[:-1]) <= {4} or sizes in ([4, 6, 4], [4, 6, 5])
    if not usual or not luhn(digits) or len(set(digits)) == 1:
        return False
    if _CARD_WORD.search(text[max(0, start - _BEFORE) : start]):
        return True
    issuer = digits[0] in "3456" or "2221" <= digits[:4] <= "2720" or digits[:4] in {"1800", "2131"}
    return issuer and len(digits) >= 14 and not _OTHER_WORD.search(text[max(0, start - 30) : start])


def is_iban(candidate: str) -> int:
    """Give the characters of an IBAN that `candidate` begins with, none where it is not one."""
    length = _IBAN_LENGTHS.get(candidate[:2].upper())
    if length is None:
        return 0
    taken = 0
    for place, character in enumerate(candidate):
        taken += character.isalnum()
        if taken == length:
            number = re.sub(r"\W", "", candidate[: place + 1]).upper()
            rest = candidate[place + 1 : place + 2]
            turned = "".join(str(int(letter, 36)) for letter in number[4:] + number[:4])
            return place + 1 if int(turned) % 97 == 1 and not rest.isalnum() else 0
    return 0


def is_ssn(text: str, start: int, end: int) -> bool:
    """Tell whether the number is a social security number of the United States."""
    digits = re.sub(r"\D", "", text[start:end])
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    if area in {"000", "666"} or area[0] == "9" or group == "00" or serial == "0000":
        return False
    if text[start + 3] == "-":
        return True
    return _SSN_WORD.search(text[max(0, start - _BEFORE) : start]) is not None


def is_phone(text: str, start: int, end: int) -> bool:
    """Tell whether the number is one of a phone: by its form, or by a word beside it."""
    number = text[start:end]
    digits = re.sub(r"\D", "", number)
    if (
        not 7 <= len(digits) <= 15
        or number.count("(") != number.count(")")
        or _DATE.fullmatch(number)
        or _ADDRESS.fullmatch(number)
    ):
        return False
    if number.lstrip("(").startswith("+"):
        return len(digits) >= 8
    before = text[max(0, start - _BEFORE) : start]
    if _OTHER_WORD.search(before):
        return False
    after = text[end : end + _AFTER]
    if _PHONE_WORD.search(before) or _PHONE_WORD.search(after):
        return True
    return _has_form_of_phone(number, digits)


def _has_form_of_phone(number: str, digits: str) -> bool:
    groups = [len(group) for group in re.findall(r"\d+", number)]
    if re.search(r"\(\d{1,5}\)", number):
        return len(digits) >= 8
    if number.startswith("00"):
        return len(digits) >= 10 and len(groups) > 1
    if not 9 <= len(digits) <= 12 or digits.endswith("000000"):
        return False
    if len(groups) == 2:
        return digits[0] == "0" and len(digits) >= 10 and 3 <= groups[0] <= 6
    if len(groups) < 2:
        return False
    usual = groups in ([3, 3, 4], [3, 3, 3], [1, 3, 3, 4])
    return usual or (digits[0] == "0" and min(groups) >= 2 and max(groups) <= 5)

"""The people of the demo. Nobody of them exists; the numbers are ones that are given to nobody."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    phone: str = ""
    email: str = ""
    telegram_id: int = 0
    language: str = "zh"


WANG = Person("王小明", email="wang.xiaoming@example.com")
LI = Person("李建国", phone="+8613800001111")
ZHANG = Person("张丽", phone="+8613900002222")
CHEN = Person("陈静", telegram_id=700000001)
ANNA = Person("Anna Weber", phone="+8613700003333", email="anna.weber@example.com", language="en")
ZHAO = Person("赵敏", phone="+8613600004444")
SUN = Person("孙悦", phone="+8613500005555")

CITIZENS = (WANG, LI, ZHANG, CHEN, ANNA, ZHAO, SUN)

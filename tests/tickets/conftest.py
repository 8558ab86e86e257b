from tests.cast import desk as desk

"""Language attention: text -> Instruction."""

from vla_attention.language.instruction import Instruction, Step, Token
from vla_attention.language.phrase import Phrase

__all__ = ['Instruction', 'Phrase', 'Step', 'Token']

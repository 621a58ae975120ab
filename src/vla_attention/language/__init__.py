"""Language attention: text -> Instruction."""

from vla_attention.language.instruction import Instruction, Step, Token
from vla_attention.language.parser import InstructionParser, parse_instruction
from vla_attention.language.phrase import Phrase
from vla_attention.language.phrase_parser import parse_phrase

__all__ = ['Instruction', 'InstructionParser', 'Phrase', 'Step', 'Token', 'parse_instruction', 'parse_phrase']

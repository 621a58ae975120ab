"""Tiny random models of every architecture, with tokenizers, written as a hub folder is."""

from __future__ import annotations

import string
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

WORDS = ('red mug', 'laptop', 'blue plate', 'a photo of a', 'this is a photo of', '빨간 머그잔', '노트북',
         '파란 접시')


def _bytes() -> list[str]:
    """Return the 256 characters that byte-level BPE writes bytes as."""
    return sorted(pre_tokenizers.ByteLevel.alphabet())


def clip_tokenizer(length: int) -> transformers.CLIPTokenizer:
    alphabet = _bytes()
    tokens = [*alphabet, *(character + '</w>' for character in alphabet), '<|startoftext|>', '<|endoftext|>']
    vocab = {token: index for index, token in enumerate(tokens)}
    return transformers.CLIPTokenizer(vocab=vocab, merges=[], model_max_length=length)


def bert_tokenizer() -> transformers.BertTokenizer:
    """Make a WordPiece tokenizer with the special tokens where Grounding DINO expects those of BERT."""
    vocab = {'[PAD]': 0, '[UNK]': 100, '[CLS]': 101, '[SEP]': 102, '.': 1012, '?': 1029}
    for character in string.ascii_lowercase + string.digits:
        vocab[character] = 200 + len(vocab)
        vocab['##' + character] = 200 + len(vocab)
    taken = set(vocab.values())
    for index in range(1100):
        if index not in taken:
            vocab[f'[unused{index}]'] = index
    return transformers.BertTokenizer(vocab=dict(sorted(vocab.items(), key=lambda item: item[1])))


def unigram_tokenizer(length: int) -> transformers.PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    special = {'pad_token': '<pad>', 'eos_token': '<eos>', 'unk_token': '<unk>'}
    trainer = trainers.UnigramTrainer(vocab_size=120, special_tokens=[*special.values()], unk_token='<unk>')
    tokenizer.train_from_iterator(WORDS * 4, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single='$A <eos>', special_tokens=[('<eos>', 1)])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=length,
                                                **special)


def _save(folder: Path, model, tokenizer, image_processor) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    image_processor.save_pretrained(folder)
    return folder


def clipseg(folder: Path) -> Path:
    torch.manual_seed(0)
    text = {'vocab_size': 514, 'hidden_size': 16, 'intermediate_size': 32, 'num_hidden_layers': 2,
            'num_attention_heads': 2, 'max_position_embeddings': 32, 'bos_token_id': 512, 'eos_token_id': 513,
            'pad_token_id': 513}
    vision = {'hidden_size': 16, 'intermediate_size': 32, 'num_hidden_layers': 4, 'num_attention_heads': 2,
              'image_size': 64, 'patch_size': 16}
    config = transformers.CLIPSegConfig(
        text_config=text, vision_config=vision, projection_dim=16, reduce_dim=8, extract_layers=[0, 1, 2],
        decoder_num_attention_heads=2, decoder_intermediate_size=16)
    processor = transformers.ViTImageProcessorPil(size={'height': 64, 'width': 64})
    return _save(folder, transformers.CLIPSegForImageSegmentation(config), clip_tokenizer(32), processor)


def owlv2(folder: Path) -> Path:
    torch.manual_seed(0)
    text = {'vocab_size': 514, 'hidden_size': 16, 'intermediate_size': 32, 'num_hidden_layers': 2,
            'num_attention_heads': 2, 'max_position_embeddings': 48, 'bos_token_id': 512, 'eos_token_id': 513,
            'pad_token_id': 513}
    vision = {'hidden_size': 16, 'intermediate_size': 32, 'num_hidden_layers': 2, 'num_attention_heads': 2,
              'image_size': 96, 'patch_size': 16}
    config = transformers.Owlv2Config(text_config=text, vision_config=vision, projection_dim=16)
    processor = transformers.Owlv2ImageProcessorPil(size={'height': 96, 'width': 96})
    return _save(folder, transformers.Owlv2ForObjectDetection(config), clip_tokenizer(48), processor)


def siglip(folder: Path, multilingual: bool = True) -> Path:
    torch.manual_seed(0)
    text = {'vocab_size': 100_001 if multilingual else 200, 'hidden_size': 16, 'intermediate_size': 32,
            'num_hidden_layers': 2, 'num_attention_heads': 2, 'max_position_embeddings': 32}
    vision = {'hidden_size': 16, 'intermediate_size': 32, 'num_hidden_layers': 3, 'num_attention_heads': 2,
              'image_size': 64, 'patch_size': 16}
    config = transformers.SiglipConfig(text_config=text, vision_config=vision)
    processor = transformers.SiglipImageProcessorPil(size={'height': 64, 'width': 64})
    return _save(folder, transformers.SiglipModel(config), unigram_tokenizer(32), processor)


def grounding_dino(folder: Path) -> Path:
    torch.manual_seed(0)
    text = transformers.BertConfig(vocab_size=1100, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
                                   num_attention_heads=2, max_position_embeddings=64)
    backbone = transformers.SwinConfig(image_size=64, embed_dim=8, depths=[1, 1, 1], num_heads=[1, 1, 1],
                                       window_size=4, out_features=['stage2', 'stage3'])
    config = transformers.GroundingDinoConfig(
        text_config=text, backbone_config=backbone, d_model=32, num_queries=20, encoder_layers=2,
        decoder_layers=3, encoder_ffn_dim=32, decoder_ffn_dim=32, encoder_attention_heads=4,
        decoder_attention_heads=4, num_feature_levels=3, max_text_len=64)
    processor = transformers.GroundingDinoImageProcessorPil(size={'shortest_edge': 96, 'longest_edge': 160})
    return _save(folder, transformers.GroundingDinoForObjectDetection(config), bert_tokenizer(), processor)


MAKERS = {'clipseg': clipseg, 'owlv2': owlv2, 'grounding_dino': grounding_dino, 'siglip': siglip}

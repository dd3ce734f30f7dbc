"""nf train --set: paths into nested fields, bare names, and specs of the older form whose nets are not nested."""
import harness
from harness import case, fails, info, rows_of, train, write_npy

NESTED = """{"layers": [{"type": "affine_coupling", "net": {"type": "residual", "hidden": [4], "blocks": 1}}, {"type": "reverse"},
  {"repeat": 2, "layers": [{"type": "masked_autoregressive", "net": {"type": "mlp", "hidden": [4]}}]},
  {"type": "additive_coupling"}]}"""
OLD = """{"layers": [{"type": "affine_coupling", "net": "residual", "hidden": [4], "blocks": 1}, {"type": "reverse"},
  {"repeat": 2, "layers": [{"type": "masked_autoregressive", "hidden": [4]}]},
  {"type": "additive_coupling"}]}"""


def written(spec, *assignments):
    """The canonical spec after these assignments."""
    write_npy('train.npy', rows_of(200))
    train(*(word for a in assignments for word in ('--set', a)), spec=spec, steps=1)
    return info('m.safetensors')['spec']


def nets(spec):
    """Type, hidden and blocks of every net in the chain."""
    found = []
    for layer in spec['layers']:
        if 'layers' in layer:
            found += nets(layer)
        elif 'net' in layer:
            found.append((layer['net']['type'], layer['net']['hidden'], layer['net'].get('blocks')))
    return found


@case
def both_forms_are_the_same_spec():
    assert written(OLD) == written(NESTED)
    assert nets(written(OLD)) == [('residual', [4], 1), ('mlp', [4], None), ('mlp', [64, 64], None)]


@case
def nested_fields_everywhere():
    for spec in (OLD, NESTED):
        for name in ('net.hidden', 'hidden'):
            assert nets(written(spec, f'{name}=[6]')) == [('residual', [6], 1), ('mlp', [6], None), ('mlp', [6], None)], (spec, name)
        assert nets(written(spec, 'net.blocks=3'))[0] == ('residual', [4], 3), 'only where the net has it'
        assert nets(written(spec, 'blocks=3')) == nets(written(spec, 'net.blocks=3'))


@case
def nested_fields_in_one_place():
    for spec in (OLD, NESTED):
        for path in ('layers[2].layers[0].net.hidden', 'layers.2.layers.0.hidden', 'layers[2].layers[0].net.hidden[0]'):
            value = '5' if path.endswith(']') else '[5]'
            assert nets(written(spec, f'{path}={value}'))[1] == ('mlp', [5], None), (spec, path)
        assert nets(written(spec, 'layers[3].net.hidden=[7]'))[2] == ('mlp', [7], None), 'a net that is not written out'
        assert nets(written(spec, 'layers[0].net={"type": "mlp", "hidden": [9]}'))[0] == ('mlp', [9], None)


@case
def another_type_of_net():
    assert nets(written(OLD, 'layers[2].layers[0].net=residual'))[1] == ('residual', [4], 2), 'the fields beside it stay'
    for path in ('net=residual', 'net.type=residual'):
        assert nets(written(NESTED, f'layers[2].layers[0].{path}'))[1] == ('residual', [64], 2), 'the fields were those of an mlp'
    assert nets(written(NESTED, 'layers[0].net.type=residual'))[0] == ('residual', [4], 1), 'the same type keeps its fields'


@case
def bases():
    spec = NESTED[:-1] + ', "base": {"type": "laplace"}}'
    got = written(spec, 'base.net.hidden=[3]', 'layers[0].swap=true')
    assert got['base']['net']['hidden'] == [3] and got['layers'][0]['swap'] is True
    assert written(spec, 'hidden=[3]')['base']['net']['hidden'] == [3], 'a base that is written out counts'


@case
def errors_say_where_the_path_ends():
    write_npy('train.npy', rows_of(200))

    def bad(assignment, says, hint='', spec=NESTED):
        fails('train', spec, '--data', 'train.npy', '--set', assignment, '-o', 'x', code=2, says=says, hint=hint)
    for spec in (OLD, NESTED):
        bad('net.hiden=[3]', says=('layers[0].net, residual, has no field', 'hiden'), hint='hidden', spec=spec)
        bad('layers[2].layers[0].net.blocks=3', says=('layers[2].layers[0].net, mlp, has no field', 'blocks'), spec=spec)
        bad('layers[0].hiden=[3]', says=('layers[0], affine_coupling, has no field', 'hiden'), hint='hidden', spec=spec)
        bad('layers[1].net.hidden=[3]', says=('layers[1], reverse, has no field', 'net'), spec=spec)
    bad('net.hidden.x=3', says='not an index')
    bad('layers[0].net.hidden[1]=3', says='list of 1')


harness.main(__doc__)

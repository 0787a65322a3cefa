"""``pellucid train``: train a network on a data set."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pellucid.cli import (
    common,
    completion,
    concluding,
    folders,
    new_run,
    overfit,
    reading,
    running,
    starting,
)
from pellucid.cli import processes as several
from pellucid.cli.config import Config, Parts
from pellucid.cli.environment import environment
from pellucid.cli.recipes import NAMED, OPTIMIZER, RATES, SCHEDULE, check_recipe, recipe_for
from pellucid.errors import PellucidError
from pellucid.parallel.mpi import TIMEOUT
from pellucid.runtime.threads import granted

if TYPE_CHECKING:
    from pellucid.data import Splits

_RUN = "The run"


@reading.takes_reading()
def train(
    data: reading.Data,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE.toml|RUN",
            help="A known network (`pellucid summary` lists them), with options as in "
            "resnet20:width=0.5; one described in a file; or a finished run, whose weights are "
            "the start.",
            show_default="by data set",
            autocompletion=completion.models,
        ),
    ] = None,
    freeze: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN",
            help="Do not train layers whose names match, such as 'conv*'; several are joined by "
            "commas.",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="The number of epochs: how often all training images are seen.",
            show_default="by data set",
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="The number of images in a training step.",
            show_default="by data set",
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Choices tuned for a purpose: "
            + "; ".join(f"{name} ({', '.join(data)})" for name, data in NAMED.items())
            + ". Options that are given count more.",
        ),
    ] = None,
    optimizer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"One of {', '.join(RATES)}.",
            show_default=OPTIMIZER,
            autocompletion=completion.optimizers,
        ),
    ] = None,
    optimizer_options: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="Further arguments of the optimiser, as in Python: 'nesterov=True', "
            "\"lr_factors={'bias': 2}\".",
        ),
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option(
            "--lr",
            metavar="X",
            help="The learning rate, at its highest where a schedule changes it.",
            show_default="by optimiser",
        ),
    ] = None,
    momentum: Annotated[
        float | None,
        typer.Option(
            metavar="X", help="The momentum of sgd or rmsprop.", show_default="0.9 for sgd"
        ),
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="How the learning rate changes: constant, step, exponential, linear, cosine or "
            "onecycle. 'warmup,' in front begins with a warm-up. Numbers follow a colon, as in "
            "step:0.3:0.1.",
            show_default=SCHEDULE,
            autocompletion=completion.schedules,
        ),
    ] = None,
    weight_decay: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            min=0,
            help="Weight decay. Biases and normalisation parameters do not decay.",
            show_default="by optimiser",
        ),
    ] = None,
    label_smoothing: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            min=0,
            max=1,
            help="Label smoothing: this share of each label is spread over all classes.",
            show_default="0",
        ),
    ] = None,
    clip_norm: Annotated[
        float | None,
        typer.Option(metavar="X", help="Scale gradients down to this norm where they are larger."),
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Random changes of the images: crop, flip, rotate, affine, cutout, erase, mixup, "
            "cutmix, brightness, contrast, joined by commas; 'none' for none.",
            show_default="by data set",
        ),
    ] = None,
    ema: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="Keep an exponential moving average of the weights with this decay, such as "
            "0.999, and use it for validation and for the saved model.",
        ),
    ] = None,
    validation: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            min=0,
            max=0.9,
            help="Hold out this share of the training images to choose the best epoch; 0 for none. "
            "Where the data has a validation part, that is used instead.",
            show_default="0.1",
        ),
    ] = None,
    whiten: Annotated[
        bool | None,
        typer.Option(
            "--whiten",
            help="Let the first convolution whiten patches of the training images, and do not "
            "train its weight.",
            show_default=False,
        ),
    ] = None,
    tta: Annotated[
        bool | None,
        typer.Option(
            "--tta",
            help="Evaluate with test-time augmentation at the end, as `pellucid evaluate --tta`.",
            show_default=False,
        ),
    ] = None,
    selector: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Train only on the images of each batch that are hard for this small network, "
            "which learns alongside, with the same optimiser, --freeze and --whiten.",
            autocompletion=completion.models,
        ),
    ] = None,
    keep: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            min=0,
            max=1,
            help="The share of the images of each batch that --selector keeps.",
            show_default="0.5",
        ),
    ] = None,
    no_test: Annotated[
        bool,
        typer.Option(
            "--no-test",
            help="Leave the test images alone, while you try choices: held-out training images "
            "judge the run.",
        ),
    ] = False,
    fraction: Annotated[
        float,
        typer.Option(
            metavar="X",
            min=0,
            max=1,
            help="Use only this share of the training images, with all classes, for a quick trial.",
        ),
    ] = 1.0,
    class_weights: Annotated[
        str | None,
        typer.Option(
            metavar="balanced",
            help="Weight the loss so that every class counts equally, however many images it has.",
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Stop early if validation has not improved for this many epochs.",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(metavar="N", min=0, help="The random seed: the same seed gives the same run."),
    ] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Where to write the run.", show_default="runs/DATA-MODEL-N", rich_help_panel=_RUN
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the run in --out.", rich_help_panel=_RUN)
    ] = False,
    overfit_batch: Annotated[
        bool,
        typer.Option(
            "--overfit-batch",
            help="Only check whether the network can memorise one batch; nothing is saved.",
            rich_help_panel=_RUN,
        ),
    ] = False,
    log: Annotated[
        str | None,
        typer.Option(
            metavar="BOARD,…",
            help="Log the run to tensorboard, mlflow or wandb as well.",
            rich_help_panel=_RUN,
        ),
    ] = None,
    processes: several.Processes = None,
    shards: several.Shards = None,
    sync_batch_norm: several.SyncBatchNorm = False,
    timeout: several.Timeout = TIMEOUT,
    engine: common.Engine = None,
    threads: common.Threads = None,
    precise: common.Precise = False,
    tune: common.Tune = False,
    recompute: common.Recompute = False,
    curves: common.Curves = True,
    report: common.Report = True,
    given: dict[str, Any] | None = None,
) -> None:
    """Train a network on images, and report how accurate it is.

    DATA is digits, mnist, fashion-mnist, cifar-10, cifar-100, svhn, or a path:
    a folder with one folder of images for each class, a CSV or NPZ file, or
    another data set's files, which are recognised by their content.
    Options that you leave out get values that suit the data set.
    """
    from pellucid import training
    from pellucid.data.registry import lasting

    optimizer_name = (optimizer or OPTIMIZER).lower()
    new_run.check_names((model, selector), optimizer_name, schedule or SCHEDULE, augment)
    new_run.optimizer_options(optimizer_options)
    check_recipe(recipe)
    running.boards(log)
    team = several.team(processes, lambda: shards, timeout)
    team = several.synchronised(team, sync_batch_norm)
    if team is not None and tune:
        raise PellucidError(
            "--tune times algorithms, in which processes would differ; leave it out where batches "
            "are cut into shards"
        )
    chosen_engine = common.engine_or_default(engine)
    if model is not None and starting.is_trained(model):
        model = str(Path(model).resolve())
    splits, options = several.each(team, lambda: _read(data, model, given or {}))
    usual = recipe_for(recipe, splits.train.name)
    optimizer = _or(optimizer, usual.optimizer).lower()
    own = usual if optimizer == usual.optimizer else None  # rates suit the recipe's own optimiser
    rate = RATES[optimizer]
    config = Config(
        data=lasting(data),
        model=_or(model, usual.model),
        epochs=_or(epochs, usual.epochs),
        batch_size=_or(batch_size, usual.batch_size),
        optimizer=optimizer,
        optimizer_options=_or(optimizer_options, own and own.optimizer_options),
        lr=_or(lr, _or(own and own.lr, rate.lr)),
        momentum=_or(momentum, _or(own and own.momentum, rate.momentum)),
        schedule=_or(schedule, usual.schedule),
        weight_decay=_or(weight_decay, _or(own and own.weight_decay, rate.weight_decay)),
        label_smoothing=_or(label_smoothing, usual.label_smoothing),
        clip_norm=clip_norm,
        augment=_or(augment, usual.augment),
        whiten=_or(whiten, usual.whiten),
        tta=_or(tta, usual.tta),
        selector=_or(selector, usual.selector),
        keep=_or(keep, usual.keep),
        no_test=no_test,
        ema=_or(ema, usual.ema),
        validation=_or(validation, usual.validation),
        patience=patience,
        seed=seed,
        engine=chosen_engine,
        threads=_or(threads, usual.threads),
        precise=precise,
        tune=tune,
        log=log,
        freeze=_or(freeze, usual.freeze),
        fraction=fraction,
        class_weights=class_weights,
        shards=None if team is None else team.shards,
        sync_batch_norm=sync_batch_norm,
        recompute=recompute,
        reading=options,
        environment=environment(chosen_engine, _or(_or(threads, usual.threads), granted())),
    )
    new_run.check(config)
    parts = Parts.of(splits, config)
    if team is not None:
        team.check_same(config.choices(), patience=math.inf)
    with common.computing(config.engine, new_run.threads(config), config.precise, config.tune):
        if overfit_batch:
            raise typer.Exit(0 if overfit.check(config, parts) else 1)
        state = several.each(team, lambda: new_run.new_state(config, parts))
        records = training.records(
            state,
            parts.train,
            parts.validation,
            team,
            concluding.rehearsal(parts, config.batch_size),
        )

        def begin(folder: Path) -> None:
            config.save(folder)
            training.save_checkpoint(state, folder)

        new = folders.new(config.model, splits.train.name, out, force, begin)
        with several.shared(team, new) as folder:
            running.announce(folder, config, parts, state, team)
            running.carry_on(
                folder, config, parts, state, records, curves=curves, report=report, team=team
            )


def _read(data: str, model: str | None, given: dict[str, Any]) -> tuple["Splits", dict[str, Any]]:
    """Load the data, and return them with the options used, including an implied image size."""
    options = reading.options(data, given)
    if model is not None and starting.is_trained(model):
        options = starting.reading_for(model, data, options)
    else:
        options = reading.with_modest_size(data, options)
    splits = reading.load_data(data, options)
    new_run.check_classes(data, splits.train)
    return splits, options


def _or(given: Any, otherwise: Any) -> Any:
    return otherwise if given is None else given

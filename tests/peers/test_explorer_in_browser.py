"""The explorer in a real browser: each number that it shows is the network's and PyTorch's."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from accessible import violations
from explored import CHECK_ALL, images, named, opened, served, session, until
from pellucid import data, interchange, losses, models, optim, training
from pellucid import layers as nn
from pellucid.evaluation import predict
from pellucid.explorer import Runs, Session, saved
from pellucid.interchange.torch import to_torch
from pellucid.runtime import compiling


def every_rule() -> nn.Layer:
    """A network with each kind of layer that the page knows a rule for, in odd geometries."""
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=(1, 2), padding=(2, 1), dilation=(2, 1), groups=3),
        nn.BatchNorm2d(6),
        nn.LeakyReLU(0.1),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.Conv2d(6, 4, (2, 3), padding=1, padding_mode="reflect"),
        nn.Tanh(),
        nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False, ceil_mode=True),
        nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, groups=2),
        nn.SiLU(),
        nn.Residual(nn.Sequential(nn.Conv2d(6, 6, 3, padding=1, flip_kernel=True), nn.GELU())),
        nn.Concat(nn.Conv2d(6, 2, 1), nn.Sequential(nn.ReLU6(), nn.Conv2d(6, 3, 3, padding=1))),
        nn.Conv2d(5, 5, 3, padding=1, padding_mode="circular"),
        nn.AdaptiveAvgPool2d((2, 3)),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(30, 7),
        nn.BatchNorm1d(7),
        nn.Linear(7, 4),
        nn.Softmax(),
    )


def learning() -> Session:
    """A small network with images to learn from."""
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 3))
    data = {"test": images((1, 8, 8), 3, 12), "training": images((1, 8, 8), 3, 60)}
    return Session(nn.initialize(model), data, "learning")


READOUT = "document.querySelector('#training .readout').textContent"
SESSIONS = {
    "lenet5": lambda: named("lenet5", (1, 28, 28)),
    "resnet20": lambda: named("resnet20", (3, 32, 32)),
    "inception": lambda: named("inception", (3, 16, 16)),
    "mobilenet": lambda: named("mobilenet", (3, 16, 16)),
    "every rule": lambda: session(every_rule(), (3, 13, 15), 4),
}


@pytest.mark.parametrize("name", SESSIONS)
def test_the_steps_of_every_number_give_it_forwards_and_backwards(browser, name):
    with served(SESSIONS[name]()) as link, opened(browser, f"{link}#target=2") as page:
        found = page.evaluate(CHECK_ALL, 3 if name == "resnet20" else 8)
    kinds = {(kind, rule) for kind, rule, *_ in found}
    assert len(found) > 50
    worst = max(found, key=lambda row: row[-1])
    assert worst[-1] < 1e-4, worst
    if name == "every rule":
        assert len(kinds) > 22, kinds


@pytest.mark.parametrize("name", ["lenet5", "resnet20"])
def test_the_numbers_of_the_page_are_pytorchs(browser, name):
    what = SESSIONS[name]()
    module = to_torch(what.model).double().eval()
    with served(what) as link, opened(browser, f"{link}#target=2&index=3") as page:
        shown = page.evaluate(
            """() => [explorer.pass.probabilities, explorer.pass.objective,
                [...explorer.pass.gradients[0].data],
                Object.fromEntries([...explorer.pass.parameterGradients].map(
                    ([path, { data }]) => [path, [...data]]))]"""
        )
    x = torch.from_numpy(what.data["test"].images[3:4].astype(np.float64)).requires_grad_()
    scores = module(x)
    loss = torch.nn.functional.cross_entropy(scores, torch.tensor([2]))
    loss.backward()
    assert np.allclose(shown[0], scores.softmax(1)[0].detach(), atol=1e-5)
    assert np.isclose(shown[1], loss.item(), rtol=1e-4)
    for made, right in [
        (shown[2], x.grad),
        *((shown[3][k], p.grad) for k, p in module.named_parameters()),
    ]:
        right = right.numpy().ravel()
        assert abs(np.array(made) - right).max() <= 1e-3 * abs(right).max() + 1e-7


def test_a_stroke_changes_the_probabilities(browser):
    with served(SESSIONS["lenet5"]()) as link, opened(browser, link) as page:
        before = page.evaluate("[...explorer.pass.values.at(-1).data]")
        page.click("#clear")
        until(page, "explorer.pass.pixels.data.every(level => level === 0)")
        paper = page.locator(".paper").bounding_box()
        page.mouse.move(paper["x"] + 60, paper["y"] + 60)
        page.mouse.down()
        page.mouse.move(paper["x"] + 120, paper["y"] + 140, steps=8)
        page.mouse.up()
        until(page, "explorer.pass.gradients !== null")
        until(page, "Math.max(...explorer.pass.pixels.data) === 255")
        assert page.evaluate("[...explorer.pass.values.at(-1).data]") != before


def test_a_link_opens_the_same_state(browser):
    state = "#part=test&index=5&target=3&value=4&at=33&tab=backward&map=gradient"
    with served(SESSIONS["lenet5"]()) as link, opened(browser, link + state) as page:
        shown = page.evaluate("({...explorer.shown})")
        assert (shown["index"], shown["target"], shown["value"], shown["at"]) == (5, 3, 4, 33)
        assert page.locator("#tab-backward[aria-selected=true]").count() == 1
        assert page.evaluate("explorer.pass.target") == 3
        page.keyboard.press("]")
        address = page.url
        assert "value=5" in address


def test_one_walks_forwards_and_backwards_with_the_keyboard_alone(browser):
    with served(SESSIONS["lenet5"]()) as link, opened(browser, link) as page:
        page.focus("#own-map")
        before = page.evaluate("explorer.shown.at")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowDown")
        assert page.evaluate("explorer.shown.at") == before + 28 + 1
        page.keyboard.press("PageDown")
        assert page.evaluate("explorer.shown.at") == before + 28 + 1 + 28 * 28
        assert "channel 1" in page.inner_text("#said")
        page.keyboard.press("b")
        page.wait_for_selector("#tab-backward[aria-selected=true]")
        assert page.locator(".check").inner_text().startswith("The steps give the number")
        page.focus("#tab-backward")
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.id") == "tab-weights"


def test_the_tour_goes_through_eight_stops(browser):
    with served(SESSIONS["lenet5"]()) as link, opened(browser, link) as page:
        page.click("#start-tour")
        titles = [page.inner_text("#tour h2")]
        for _ in range(7):
            page.click("#tour-next")
            titles.append(page.inner_text("#tour h2"))
        assert len(set(titles)) == 8
        assert page.locator("#tour-next").count() == 0
        page.click("#tour-end")
        assert page.locator("#tour").is_hidden()


def test_one_trains_and_winds_back_while_the_maps_follow(browser):
    with served(learning()) as link, opened(browser, link) as page:
        page.click("#train")
        page.wait_for_selector("#train-begin")
        until(page, "document.querySelector('#train-check').textContent.startsWith('This fits')")
        page.click("#train-begin")
        page.wait_for_selector("#train-step")
        first = page.evaluate("[...explorer.pass.values.at(-1).data]")
        page.click("#train-step")
        until(
            page, "document.querySelector('#training .readout').textContent.startsWith('Step 1,')"
        )
        until(page, f"explorer.pass.values.at(-1).data[0] !== {first[0]}")
        page.click("#train-epoch")
        until(page, "document.querySelector('#training').textContent.includes('validation')")
        page.locator("#train-rewind").fill("0")
        until(
            page, "document.querySelector('#training .readout').textContent.startsWith('Step 0,')"
        )
        until(page, f"explorer.pass.values.at(-1).data[0] === {first[0]}")


def test_whoever_waits_for_the_compiler_sees_what_is_compiled(browser):
    with served(learning()) as link, opened(browser, link) as page:
        shown = page.locator("#compiling")
        assert shown.is_hidden()
        compiling.began("conv.direct 4×2")
        shown.wait_for()
        assert "conv.direct 4×2; " in shown.text_content()
        compiling.ended()
        shown.wait_for(state="hidden")
        with compiling.Progress(12) as progress:
            progress.working(["update.adam"])
            until(
                page,
                "document.querySelector('#compiling').textContent.includes('0 of 12 kernels')",
            )
        shown.wait_for(state="hidden")


def test_numbers_are_taken_along_as_numpy_reads_them(browser, tmp_path):
    with served(SESSIONS["lenet5"]()) as link, opened(browser, f"{link}#value=3&at=200") as page:
        kept = {}
        for way in ("Numbers as NPZ", "Numbers as CSV", "Map as SVG", "Network as Python"):
            with page.expect_download() as download:
                page.select_option("#take", way)
            kept[way] = tmp_path / download.value.suggested_filename
            download.value.save_as(kept[way])
        value = np.array(page.evaluate("[...explorer.pass.values[3].data]"), np.float32)
        gradient = np.array(page.evaluate("[...explorer.pass.gradients[3].data]"), np.float32)
    with np.load(kept["Numbers as NPZ"]) as found:
        assert found["value"].shape == (6, 14, 14)
        np.testing.assert_array_equal(found["value"].ravel(), value)
        np.testing.assert_array_equal(found["gradient"].ravel(), gradient)
    table = np.loadtxt(kept["Numbers as CSV"], delimiter=",", skiprows=1)
    np.testing.assert_allclose(table[:, 3], value)
    assert kept["Map as SVG"].read_text().count("<rect") == 14 * 14
    built: dict[str, nn.Layer] = {}
    exec(kept["Network as Python"].read_text(), built)
    assert built["model"].describe() == models.build("lenet5", (1, 28, 28), 10).describe()


def test_the_receptive_field_is_framed_in_the_image(browser):
    with served(SESSIONS["lenet5"]()) as link, opened(browser, f"{link}#value=4&at=55") as page:
        page.wait_for_selector("figcaption:has-text('receptive field in the image: 14×14')")
        assert "row 0 of the weight matrix" in page.inner_text(".says.wide")


def test_two_images_stand_side_by_side(browser):
    with served(SESSIONS["lenet5"]()) as link, opened(browser, link) as page:
        page.click("#compare")
        page.keyboard.press("n")
        until(page, "explorer.pass.label === 1")
        assert page.locator("figcaption", has_text="test 0:").count() == 1


def two_runs() -> Runs:
    """Two networks of the same form with other weights, on the same images."""
    parts = {"test": images((1, 12, 12), 4, 40)}
    make = lambda: nn.Sequential(  # noqa: E731
        conv=nn.Conv2d(1, 3, 3), relu=nn.ReLU(), flat=nn.Flatten(), fc=nn.Linear(300, 4)
    )
    names = ("one", "other")
    made = [(nn.initialize(make(), seed), name) for seed, name in enumerate(names)]
    return Runs([Session(model, parts, name) for model, name in made])


def test_two_runs_stand_beside_each_other_on_the_same_image(browser):
    what = two_runs()
    models_, images_ = [s.model for s in what.sessions], what.sessions[0].data["test"]
    first, second = (predict(model, images_) for model in models_)
    with (
        served(what) as link,
        opened(browser, f"{link}#run=1&beside=0&index=7&value=1&at=33") as page,
    ):
        until(page, "explorer.net.title === 'other'")
        shown = page.evaluate("explorer.pass.probabilities")
        np.testing.assert_allclose(shown, second[7], atol=1e-6)
        meters = page.locator(".probabilities tbody tr").evaluate_all(
            "rows => rows.map(row => [...row.querySelectorAll('meter')].map(m => m.value))"
        )
        order = np.argsort(-second[7])
        np.testing.assert_allclose(meters, np.c_[second[7], first[7]][order], atol=1e-6)
        assert page.inner_text("#beside-name") == "one"
        assert page.locator("figcaption", has_text="one: ").count() == 1
        page.locator("#beside-stage .card .name").nth(2).click()
        until(page, "explorer.net.title === 'one'")
        assert page.evaluate("[explorer.shown.run, explorer.shown.beside]") == [0, 1]
        assert page.evaluate("explorer.shown.value") == 2
        page.check("#differ")
        differ = np.flatnonzero(first.argmax(axis=1) != second.argmax(axis=1))
        until(
            page, f"document.querySelector('#browser h3').textContent.includes('{len(differ)} im')"
        )
        page.keyboard.press("x")
        until(page, "explorer.net.title === 'other'")


def test_maps_show_the_weights_and_lead_to_them(browser):
    with served(SESSIONS["lenet5"]()) as link, opened(browser, f"{link}#map=weight") as page:
        cards = page.locator("#stage .card")
        drawn = [card for card in cards.all() if card.locator("canvas").count()]
        assert len(drawn) == 5  # two convolutions and three linear layers
        drawn[1].locator("canvas").click(position={"x": 70, "y": 10})
        until(page, "explorer.shown.tab === 'weights'")
        assert page.evaluate("explorer.net.values[explorer.shown.value].name") == "conv2"
        assert page.locator("#panel-body figcaption").first.inner_text() == "weight[1, 0]"


KINDS = {
    "SGD": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "Adam": lambda p: optim.Adam(p, lr=0.01, amsgrad=True, weight_decay=0.1),
    "AdamW": lambda p: optim.AdamW(p, lr=0.01, clip_norm=0.5),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.01, centered=True, momentum=0.5),
    "Adagrad": lambda p: optim.Adagrad(p, lr=0.01, lr_decay=0.1),
    "Muon": lambda p: optim.Muon(p, lr=0.01, weight_decay=0.1),
    "AdamW in Muon": lambda p: optim.Muon(p, adam_for=("*",), lr_factors={"weight": 0.5}),
    "Lookahead": lambda p: optim.Adam(p, lr=0.01, lookahead=1, lookahead_rate=0.25),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_lines_of_a_step_give_the_weight_of_the_runs_own_optimiser(browser, kind):
    what = learning()
    model, train = what.model, what.data["training"]
    optimizer = KINDS[kind](model.named_parameters())
    list(training.train(model, train, optimizer=optimizer, epochs=2, batch_size=10))

    def own(other):
        made = KINDS[kind](other.named_parameters())
        made.load_state_dict(optimizer.state_dict())
        return made

    what = Session(model, what.data, "learning", optimizer=own)
    where = f"{{}}#value=1&tab=weights&weight=weight:{5}&target=1&index=2"
    with served(what) as link, opened(browser, where.format(link)) as page:
        page.wait_for_selector(".steps tr")
        rows = page.locator(".steps tr").all_inner_texts()
        assert page.locator(".steps + .check:not(.off)").count() == 1
    stepped = own(model)
    model.zero_grad()
    x = what.data["test"].images[2:3]
    y, cache = model.forward(model.preprocessing(x) if model.preprocessing else x.astype("f4"))
    _, dy = losses.cross_entropy(y, np.array([1]))
    model.backward(dy, cache)
    before = model.named_parameters()["0.weight"].value.ravel()[5]
    stepped.step()
    after = model.named_parameters()["0.weight"].value.ravel()[5]
    said = float(rows[-1].split()[-1].replace("−", "-"))
    assert after != before
    assert said == pytest.approx(after, rel=1e-5)


def test_all_images_are_shown_as_points_and_as_small_images(browser):
    with served(learning()) as link, opened(browser, f"{link}#tab=why") as page:
        page.click("button:has-text('images') >> nth=-1")
        picture = page.locator("canvas[aria-label^='All images']")
        picture.hover()
        page.wait_for_selector(".under:has-text('test ') canvas")
        picture.click()
        until(page, "explorer.shown.part === 'test'")


def test_a_network_of_another_program_is_walked_like_our_own(browser, tmp_path):
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, stride=2, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(8, 12, 3, groups=2), torch.nn.Hardswish(), torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(), torch.nn.Linear(12, 5),
    )  # fmt: skip
    module.eval()
    path, x = tmp_path / "net.onnx", torch.rand(1, 3, 20, 20) * 255
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter is called old; its files are everywhere
        torch.onnx.export(module, (x,), str(path), dynamo=False)
    parts = {"test": images((3, 20, 20), 5, 8)}
    what = Session(interchange.onnx.load(path), parts, "net.onnx", (3, 20, 20))
    with served(what) as link, opened(browser, f"{link}#target=2&index=3") as page:
        found = page.evaluate(CHECK_ALL, 20)
        gradient = page.evaluate("[...explorer.pass.gradients[0].data]")
    assert max(row[-1] for row in found) < 1e-4
    assert {rule for _, rule, *_ in found} >= {"convolution", "maximum", "linear", "cells"}
    x = torch.from_numpy(parts["test"].images[3:4].astype(np.float32)).requires_grad_()
    torch.nn.functional.cross_entropy(module(x), torch.tensor([2])).backward()
    right = x.grad.numpy().ravel()
    assert abs(np.array(gradient) - right).max() <= 1e-3 * abs(right).max()


@pytest.mark.usefixtures("real_data")
def test_a_trained_resnet20_is_walked_on_cifar10(browser):
    cifar = data.load("cifar-10")
    model = models.build("resnet20", (3, 32, 32), 10)
    sgd = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in training.train(model, cifar.train.take(256), optimizer=sgd, epochs=2, batch_size=64):
        pass
    what = Session(model, {"test": cifar.test.take(60)}, "resnet20")
    module = to_torch(model).double().eval()
    with served(what) as link, opened(browser, f"{link}#index=3") as page:
        found = page.evaluate(CHECK_ALL, 4)
        scores = page.evaluate("[...explorer.pass.values.at(-1).data]")
        page.check("#mistakes")
        page.wait_for_selector(".thumbs .mistake")
        page.evaluate("explorer.show({ tab: 'why', value: 40, at: 5 })")
        page.wait_for_selector("#why-occlusion canvas")
    assert len(found) > 500
    assert max(row[-1] for row in found) < 1e-4
    x = model.preprocessing(what.data["test"].images[3:4]).astype(np.float64)
    wanted = module(torch.from_numpy(x)).detach().numpy()[0]
    np.testing.assert_allclose(scores, wanted, rtol=1e-3, atol=1e-4)


def test_what_excites_a_filter_is_made_and_found(browser):
    with served(learning()) as link, opened(browser, f"{link}#value=1&tab=why") as page:
        page.click("#excite")
        page.wait_for_selector("figcaption:has-text('made for it')")
        assert page.locator("figcaption:has-text('training ')").count() >= 3


def test_one_step_of_an_optimiser_lowers_the_loss(browser):
    where = "#value=1&tab=weights&weight=weight:0&target=3"
    with served(SESSIONS["lenet5"]()) as link, opened(browser, link + where) as page:
        page.fill("#rate", "0.0000001")
        page.keyboard.press("Tab")
        page.click("#try-update")
        page.wait_for_selector("text=the loss on this image goes from")
        said = page.inner_text("text=the loss on this image goes from")
    before, after = (float(word.rstrip(".")) for word in said.split() if word[0].isdigit())
    assert after < before


def test_no_element_breaks_a_rule_of_accessibility(browser):
    with served(learning()) as link, opened(browser, link, bypass_csp=True) as page:
        page.click("#train")
        page.wait_for_selector("#train-begin")
        for tab in ("forward", "backward", "weights", "code", "why"):
            page.click(f"#tab-{tab}")
            page.wait_for_timeout(300)
            broken = violations(page)
            assert not broken, f"{tab}: {broken}"


def test_a_saved_page_walks_without_a_server(browser, tmp_path):
    path = saved.save(SESSIONS["lenet5"](), tmp_path / "page.html", images=3)
    assert path.stat().st_size < 5_000_000
    with opened(browser, path.as_uri()) as page:
        page.wait_for_selector(".thumbs button")
        assert page.locator(".thumbs button").count() == 3
        page.locator(".thumbs button").nth(1).click()
        until(page, "explorer.pass.label === 1")
        assert page.locator(".check").first.is_visible()
        page.click("#tab-code")
        page.wait_for_selector("figure.code")
        assert "Conv2d(" in page.inner_text("#panel")


def test_a_saved_page_opens_with_an_image_that_it_contains(browser, tmp_path):
    what = SESSIONS["lenet5"]()
    what.data["test"].labels[0] = 9  # the first images of classes 0 and 1 are now the 10th and 1st
    page_file = saved.save(what, tmp_path / "page.html", images=2)
    for address in ("", "#index=7"):
        with opened(browser, page_file.as_uri() + address) as page:
            page.wait_for_selector(".thumbs button")
            assert page.evaluate("explorer.pass.index") == 10
            assert "index=10&" in page.evaluate("location.hash")
            page.keyboard.press("n")
            until(page, "explorer.pass.index === 1")
            page.evaluate("location.hash = '#index=7'")
            until(page, "explorer.pass.index === 10")
            assert "index=10&" in page.evaluate("location.hash")
            assert page.locator("#error").is_hidden()


@pytest.mark.parametrize("size", [(360, 800), (1280, 900), (3840, 2160)])
def test_nothing_is_cut_off_on_any_screen(browser, size):
    view = {"width": size[0], "height": size[1]}
    with served(SESSIONS["lenet5"]()) as link, opened(browser, link, viewport=view) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_names_are_text_and_never_markup(browser, tmp_path: Path):
    what = SESSIONS["lenet5"]()
    what.title = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"
    what.model.classes = (what.title, *map(str, range(9)))
    with served(what) as link, opened(browser, link) as page:
        assert "<img" in page.inner_text("#title")
        assert page.locator("img").count() == 0
    with opened(browser, saved.save(what, tmp_path / "page.html", 2).as_uri()) as page:
        assert "<img" in page.inner_text("#title")

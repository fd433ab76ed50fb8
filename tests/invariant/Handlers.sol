// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {World} from "tests/invariant/World.sol";

/// @notice One handler per actor. Every call of an action does what its name says.
abstract contract Handler {
    World internal immutable WORLD;

    constructor(World world) {
        WORLD = world;
    }

    modifier counted() {
        WORLD.begin(msg.sig);
        _;
        WORLD.done(msg.sig);
    }
}

contract ProviderHandler is Handler {
    constructor(World world) Handler(world) {
        world.enroll(ProviderHandler.deposit.selector, "provider deposits");
        world.enroll(ProviderHandler.depositNative.selector, "provider deposits native currency");
        world.enroll(ProviderHandler.bumpCounter.selector, "provider voids offers");
        world.enroll(ProviderHandler.cancelOffer.selector, "provider takes an offer back");
        world.enroll(ProviderHandler.terminate.selector, "provider terminates");
    }

    function deposit(uint256 seed) external counted {
        WORLD.deposit(seed);
    }

    function depositNative(uint256 seed) external counted {
        WORLD.depositNative(seed);
    }

    function bumpCounter(uint256 seed) external counted {
        WORLD.bumpCounter(seed);
    }

    function cancelOffer(uint256 seed) external counted {
        WORLD.cancelOffer(seed);
    }

    function terminate(uint256 seed) external counted {
        WORLD.terminate(seed);
    }
}

contract RenterHandler is Handler {
    constructor(World world) Handler(world) {
        world.enroll(RenterHandler.rent.selector, "renter rents");
        world.enroll(RenterHandler.rentWithPermit.selector, "renter rents with a permit");
        world.enroll(RenterHandler.renew.selector, "renter renews");
        world.enroll(RenterHandler.cancel.selector, "renter cancels");
        world.enroll(RenterHandler.claim.selector, "holder claims");
        world.enroll(RenterHandler.setUser.selector, "renter names a user");
        world.enroll(RenterHandler.setBoxes.selector, "controller publishes boxes");
        world.enroll(RenterHandler.transfer.selector, "renter transfers a lease");
    }

    function rent(uint256 seed) external counted {
        WORLD.rent(seed);
    }

    function rentWithPermit(uint256 seed) external counted {
        WORLD.rentWithPermit(seed);
    }

    function renew(uint256 seed) external counted {
        WORLD.renew(seed);
    }

    function cancel(uint256 seed) external counted {
        WORLD.cancel(seed);
    }

    function claim(uint256 seed) external counted {
        WORLD.claim(seed);
    }

    function setUser(uint256 seed) external counted {
        WORLD.setUser(seed);
    }

    function setBoxes(uint256 seed) external counted {
        WORLD.setBoxes(seed);
    }

    function transfer(uint256 seed) external counted {
        WORLD.transfer(seed);
    }
}

contract CommitteeHandler is Handler {
    constructor(World world) Handler(world) {
        world.enroll(CommitteeHandler.creditBatch.selector, "committee credits");
        world.enroll(CommitteeHandler.creditBadly.selector, "committee errs");
        world.enroll(CommitteeHandler.sayLast.selector, "committee says last");
        world.enroll(CommitteeHandler.postRoot.selector, "committee posts a root");
        world.enroll(CommitteeHandler.creditFromRoot.selector, "anybody credits from a root");
    }

    function creditBatch(uint256 seed) external counted {
        WORLD.creditBatch(seed);
    }

    function creditBadly(uint256 seed) external counted {
        WORLD.creditBadly(seed);
    }

    function sayLast(uint256 seed) external counted {
        WORLD.sayLast(seed);
    }

    function postRoot(uint256 seed) external counted {
        WORLD.postRoot(seed);
    }

    function creditFromRoot(uint256 seed) external counted {
        WORLD.creditFromRoot(seed);
    }
}

/// @notice A registered oracle that can't be trusted.
contract RogueHandler is Handler {
    constructor(World world) Handler(world) {
        world.enroll(RogueHandler.creditRoguely.selector, "rogue oracle credits anything");
        world.enroll(RogueHandler.voidRoguely.selector, "rogue oracle voids epochs");
    }

    function creditRoguely(uint256 seed) external counted {
        WORLD.creditRoguely(seed);
    }

    function voidRoguely(uint256 seed) external counted {
        WORLD.voidRoguely(seed);
    }
}

/// @notice Actions open to everybody, and actions open to nobody.
contract StrangerHandler is Handler {
    constructor(World world) Handler(world) {
        world.enroll(StrangerHandler.collect.selector, "anybody collects");
        world.enroll(StrangerHandler.settle.selector, "anybody settles");
        world.enroll(StrangerHandler.settleMany.selector, "anybody settles and collects many");
        world.enroll(StrangerHandler.withdraw.selector, "creditor withdraws");
        world.enroll(StrangerHandler.withdrawNative.selector, "creditor withdraws native currency");
        world.enroll(StrangerHandler.pushWithdrawal.selector, "anybody pushes a payout");
        world.enroll(StrangerHandler.reconcile.selector, "anybody reconciles");
        world.enroll(StrangerHandler.recoverSurplus.selector, "anybody recovers surplus");
        world.enroll(StrangerHandler.donate.selector, "stranger donates");
        world.enroll(StrangerHandler.intrude.selector, "stranger intrudes");
    }

    function collect(uint256 seed) external counted {
        WORLD.collect(seed);
    }

    function settle(uint256 seed) external counted {
        WORLD.settle(seed);
    }

    function settleMany(uint256 seed) external counted {
        WORLD.settleMany(seed);
    }

    function withdraw(uint256 seed) external counted {
        WORLD.withdraw(seed);
    }

    function withdrawNative(uint256 seed) external counted {
        WORLD.withdrawNative(seed);
    }

    function pushWithdrawal(uint256 seed) external counted {
        WORLD.pushWithdrawal(seed);
    }

    function reconcile(uint256 seed) external counted {
        WORLD.reconcile(seed);
    }

    function recoverSurplus(uint256 seed) external counted {
        WORLD.recoverSurplus(seed);
    }

    function donate(uint256 seed) external counted {
        WORLD.donate(seed);
    }

    function intrude(uint256 seed) external counted {
        WORLD.intrude(seed);
    }
}

contract TimeHandler is Handler {
    constructor(World world) Handler(world) {
        world.enroll(TimeHandler.passTime.selector, "time passes");
    }

    function passTime(uint256 seed) external counted {
        WORLD.passTime(seed);
    }
}

/// @notice Does its worst, within its power.
contract GovernorHandler is Handler {
    constructor(World world) Handler(world) {
        world.enroll(GovernorHandler.pause.selector, "governor pauses");
        world.enroll(GovernorHandler.close.selector, "governor closes everything");
        world.enroll(GovernorHandler.setTreasury.selector, "governor names a treasury");
        world.enroll(GovernorHandler.registerOracle.selector, "governor registers an oracle");
        world.enroll(GovernorHandler.freeze.selector, "governor freezes while others act");
    }

    function pause() external counted {
        WORLD.pause();
    }

    function close() external counted {
        WORLD.close();
    }

    function setTreasury(uint256 seed) external counted {
        WORLD.setTreasury(seed);
    }

    function registerOracle() external counted {
        WORLD.registerOracle();
    }

    function freeze(uint256 seed) external counted {
        WORLD.freeze(seed);
    }
}

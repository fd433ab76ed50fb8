// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Offer, RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {Renting} from "tests/support/Renting.sol";
import {BadWallet, SlowWallet, Wallet} from "tests/support/Wallets.sol";

/// @notice Who can sign an offer: a key, a contract, and an account that has both.
contract SignersTest is Renting {
    /// @dev Gas that `rent` itself needs around the call to a wallet, generously.
    uint256 private constant AROUND = 150_000;
    uint256 private constant WALLET_GAS = 500_000;

    function _offerOf(address signer) private view returns (Offer memory o) {
        o = _offer();
        o.provider = signer;
        (o.bondBps, o.cancelBps) = (0, 0);
    }

    // ---------------------------------------------------------------- keys

    function test_AKey_SignsInBothForms() public {
        Offer memory o = _offer();
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(provider.key, lens.offerDigest(o));
        _rentAs(renter, o, abi.encodePacked(r, s, v), _request());
        bytes32 vs = bytes32(uint256(s) | uint256(v - 27) << 255);
        _rentAs(renter, o, abi.encodePacked(r, vs), _request());
        assertEq(lens.filled(lens.offerHash(o)), 2 * RATE, "two forms, one offer");
    }

    function test_WhenTheSignatureIsNotTheProviders_Reverts() public {
        Offer memory o = _offer();
        bytes memory error = _invalid(provider.addr);
        bytes memory good = _sign(o);
        _refused(o, _signature(members[0].key, lens.offerDigest(o)), _request(), error);
        _refused(o, "", _request(), error);
        _refused(o, new bytes(65), _request(), error);
        _refused(o, bytes.concat(good, hex"00"), _request(), error);
        good[64] = 0x1d;
        _refused(o, good, _request(), error);
    }

    // ---------------------------------------------------------------- contracts

    function test_WhenAContractSigns_ItsWordCounts() public {
        Wallet wallet = new Wallet();
        Offer memory o = _offerOf(address(wallet));
        wallet.accept(lens.offerDigest(o), "yes");
        _refused(o, "no", _request(), _invalid(address(wallet)));
        _refused(o, "", _request(), _invalid(address(wallet)));
        assertEq(escrow.lease(_rentAs(renter, o, "yes", _request())).provider, address(wallet));
        // and for this digest only
        o.price += 1;
        _refused(o, "yes", _request(), _invalid(address(wallet)));
    }

    function test_AWallet_LocksItsBondLikeAnybody() public {
        Wallet wallet = new Wallet();
        Offer memory o = _offer();
        o.provider = address(wallet);
        wallet.accept(lens.offerDigest(o), "yes");
        _refused(o, "yes", _request(), _error(ILeaseEscrow.InsufficientBalance.selector, 0, BOND));
        token.mint(address(wallet), BOND);
        vm.startPrank(address(wallet));
        token.approve(address(escrow), BOND);
        escrow.deposit(address(token), BOND);
        vm.stopPrank();
        _rentAs(renter, o, "yes", _request());
        assertEq(_balance(address(wallet)), 0);
    }

    function test_AWalletThatChangesItsMind_NoLongerSigns() public {
        Wallet wallet = new Wallet();
        Offer memory o = _offerOf(address(wallet));
        wallet.accept(lens.offerDigest(o), "yes");
        _rentAs(renter, o, "yes", _request());
        wallet.accept(0, "");
        _refused(o, "yes", _request(), _invalid(address(wallet)));
    }

    function test_WhenAWalletAnswersAnythingElse_Reverts() public {
        BadWallet wallet = new BadWallet();
        Offer memory o = _offerOf(address(wallet));
        for (uint8 i; i <= uint8(type(BadWallet.Answer).max); ++i) {
            wallet.answerWith(BadWallet.Answer(i));
            _refused(o, "yes", _request(), _invalid(address(wallet)));
        }
    }

    function test_WhenTheSignerHasNoCode_NothingSpeaksForIt() public {
        _refused(_offerOf(stranger), "yes", _request(), _invalid(stranger));
        // precompiles answer without code; here with their input
        _refused(_offerOf(address(4)), "yes", _request(), _invalid(address(4)));
    }

    // ---------------------------------------------------------------- gas of contracts

    function test_AWalletThatBurnsItsGas_CostsAtMostTheCap() public {
        _costsAtMostTheCap(BadWallet.Answer.BurnsGas);
    }

    function test_AWalletsBomb_IsNotCopied() public {
        _costsAtMostTheCap(BadWallet.Answer.ReturnsABomb);
        _costsAtMostTheCap(BadWallet.Answer.RevertsWithABomb);
    }

    function _costsAtMostTheCap(BadWallet.Answer answer) private {
        BadWallet wallet = new BadWallet();
        wallet.answerWith(answer);
        Offer memory o = _offerOf(address(wallet));
        bytes memory call = abi.encodeCall(ILeaseEscrow.rent, (o, "yes", none, _request()));
        vm.prank(renter);
        uint256 before = gasleft();
        (bool done, bytes memory reason) = address(escrow).call{gas: 10_000_000}(call);
        uint256 used = before - gasleft();
        assertFalse(done);
        assertEq(reason, _invalid(address(wallet)));
        assertGt(used, WALLET_GAS - AROUND, "it did try");
        assertLt(used, WALLET_GAS + AROUND);
    }

    function test_AWallet_HasEnoughGasForACostlyCurve() public {
        SlowWallet wallet = new SlowWallet(450_000);
        _rentAs(renter, _offerOf(address(wallet)), "", _request());
        SlowWallet slower = new SlowWallet(510_000);
        _refused(_offerOf(address(slower)), "", _request(), _invalid(address(slower)));
    }

    // ---------------------------------------------------------------- a key and code (EIP-7702)

    function test_AnAccountWithAKeyAndCode_SignsByEither() public {
        Offer memory o = _offer();
        vm.etch(provider.addr, address(new Wallet()).code);
        Wallet(provider.addr).accept(lens.offerDigest(o), "yes");
        _rentAs(renter, o, "yes", _request());
        _rentAs(renter, o, _sign(o), _request());
        _refused(o, "no", _request(), _invalid(provider.addr));
        bytes memory foreign = _signature(members[0].key, lens.offerDigest(o));
        _refused(o, foreign, _request(), _invalid(provider.addr));
    }

    function test_WhenItsCodeKnowsNoSignatures_TheKeyStillSigns() public {
        Offer memory o = _offer();
        BadWallet wallet = new BadWallet();
        vm.etch(provider.addr, address(wallet).code);
        BadWallet(provider.addr).answerWith(BadWallet.Answer.BurnsGas);
        bytes memory signature = _sign(o);
        RentRequest memory r = _request();
        uint256 before = gasleft();
        _rentAs(renter, o, signature, r);
        assertLt(before - gasleft(), WALLET_GAS, "the code is not asked");
    }
}
